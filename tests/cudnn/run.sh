#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs cudnn_plans where there is no driver. cuDNN's runtime compiler wants libcuda.so.1 to be there;
# the toolkit's stub is enough to compile, and is shown to this one process alone.
#
#   tests/cudnn/run.sh PROGRAM LIBRARIES [OPTION...]     LIBRARIES: the toolkit's folder of them
set -euo pipefail
program=$1 libraries=$2
shift 2

skip() {
    echo "skipped: $1"
    exit 77
}

[ -e "$libraries/libcudnn.so.9" ] || ldconfig -p | grep -q 'libcudnn\.so\.9' ||
    skip "there is no libcudnn.so.9 in $libraries nor where the system looks"
[ -e "$libraries/stubs/libcuda.so" ] || skip "$libraries has no stubs/libcuda.so"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$libraries/stubs/libcuda.so" "$folder/libcuda.so.1"
LD_LIBRARY_PATH="$folder:$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$program" "$@"
