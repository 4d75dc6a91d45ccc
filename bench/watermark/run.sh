#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The robustness report, from nothing: tools, environment, measurements, report.md and report.svg.
#
#     bench/watermark/run.sh [PICTURES [TRIALS]]    102 and 100000 without them: some hours
#
# What is measured stays in build/watermark/; started again, it goes on where it was stopped. Delete
# that folder when the mark has changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup.sh

install libjpeg-turbo-progs webp imagemagick python3-venv
environment=.venv/watermark
if [ ! -e $environment/ready ]; then
    python3 -m venv $environment
    $environment/bin/pip install -q numpy scipy pillow opencv-python-headless PyWavelets
    $environment/bin/pip install -q --no-deps invisible-watermark==0.2.0 # without PyTorch
    touch $environment/ready
fi
cmake --preset release >/dev/null
ninja -C build/release bench_mark_file
export OMP_NUM_THREADS=1
report=($environment/bin/python bench/watermark/report.py)
"${report[@]}" measure --pictures "${1:-102}"
"${report[@]}" null --trials "${2:-100000}"
"${report[@]}" write
