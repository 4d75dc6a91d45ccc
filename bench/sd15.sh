#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/sd15.sh BUILD FOLDER [PEER WEIGHTS]: the speed bars of the CPU path in one run, so that every
# ratio is taken on the same machine at the same time.
#
# FOLDER is a full-size SD 1.5 in diffusers layout (tools/oracle/full.py makes one with random
# weights: time does not depend on values). PEER is stable-diffusion.cpp's sd-cli, built elsewhere
# with GGML_LLAMAFILE=ON, and WEIGHTS the single-file model that it reads.
set -euo pipefail

build=$1 folder=$2 peer=${3-} weights=${4-}
export GOMP_SPINCOUNT=3000 # as limner sets it for itself

echo "== load: $(cut -d' ' -f1-3 /proc/loadavg)"
for round in 1 2; do
    echo "== round $round: bare products"
    "$build/bench_products" unet vae | grep -iE 'sum|total|best|mixed|float32'
    echo "== round $round: limner, float32"
    "$build/bench_stages" "$folder" --rows=1 --runs=3
    echo "== round $round: limner, mixed"
    "$build/bench_stages" "$folder" --rows=1 --runs=3 --precision=mixed
done
echo "== limner, prompt and negative prompt in one forward pass"
"$build/bench_stages" "$folder" --stage=unet --rows=2 --runs=3
if [ -n "$peer" ]; then
    echo "== peer, seconds per UNet forward (cfg 1: one row)"
    "$peer" -m "$weights" -p cat -W 512 -H 512 -t 2 --cfg-scale 1 --steps 2 \
        --sampling-method euler -s 42 -v -o /dev/null 2>&1 |
        grep -iE 'sampling|decode|s/it|taking|learned' | tr '\r' '\n' | tail -12
fi
echo "== load: $(cut -d' ' -f1-3 /proc/loadavg)"
