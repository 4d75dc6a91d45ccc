#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, and serves the starter model. Arguments go to `limner serve`.
set -euo pipefail
cd "$(dirname "$0")"
. tools/setup.sh

install "${packages_build[@]}"
build release limner -DWITH_TESTS=OFF
exec build/release/limner serve "$@"
