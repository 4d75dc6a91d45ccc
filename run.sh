#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, and serves the starter model. Arguments go to `limner serve`.
set -euo pipefail
cd "$(dirname "$0")"
. tools/setup.sh

# A GPU is used where there is one and the toolkit to build for it.
cuda=OFF
if [ -e /dev/nvidiactl ]; then
    PATH=$PATH:/usr/local/cuda/bin
    command -v nvcc >/dev/null && cuda=ON ||
        say "there is a GPU, but no CUDA toolkit (13 or later) to build for it: using the CPU"
fi

install "${packages_build[@]}"
build release limner -DWITH_TESTS=OFF -DWITH_CUDA=$cuda
exec build/release/limner serve "$@"
