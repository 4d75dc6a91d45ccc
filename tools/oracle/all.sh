#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that needs the oracle: `./test.sh --all` calls it after the plain tests.
#
#   tools/oracle/all.sh [BUILD]      BUILD is build/release without it
#
# The first run takes a Python environment (.venv/oracle, some GB) and makes two full-size random
# models (.cache/oracle, 9 GB); both are kept. LIMNER_ORACLE_PYTHON names an environment that is
# there already. A float32 SD 1.5 is run by torch and by limner in turn: 12 GB of memory do.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${1:-build/release}
cache=.cache/oracle
python=${LIMNER_ORACLE_PYTHON:-.venv/oracle/bin/python}
oracle=tools/oracle
export OMP_WAIT_POLICY=passive

say() {
    printf '\033[1m==>\033[0m %s\n' "$*" >&2
}

if ! [ -x "$python" ]; then
    say "oracle: installing torch, diffusers and transformers into .venv/oracle"
    python3 -m venv .venv/oracle
    .venv/oracle/bin/pip install --quiet -r $oracle/requirements.txt
fi

say "oracle: tokenizer"
"$python" $oracle/tokenizer_check.py starter/tokenizer --test "$build/test_tokenizer"

say "oracle: every sampler on the tiny pipelines, through limner generate"
while read -r folder width height; do
    for sampler in euler euler_ancestral ddim dpmpp_2m lcm; do
        "$python" $oracle/parity.py --limner "$build/limner" --model "tests/golden/$folder" \
            --width "$width" --height "$height" --steps 20 --guidance 3 --negative "blue house" \
            --sampler $sampler --free >"$build/parity.txt" ||
            { echo "$folder, $sampler:"; cat "$build/parity.txt"; exit 1; }
    done
done <<'END'
tiny_sd1 128 64
tiny_sd2 72 64
tiny_odd 64 64
tiny_lcm 32 32
tiny_sdxl 56 40
tiny_turbo 64 64
END

say "oracle: the starter model"
"$python" $oracle/parity.py --limner "$build/limner" --model starter --width 128 --height 128 \
    --steps 20 --guidance 3 --free

for config in sd15 sd21; do
    model=$cache/$config
    if ! [ -e "$model/golden.safetensors" ]; then
        say "oracle: making a random $config of full size"
        "$python" $oracle/full.py "$model" --config $config
        "$python" $oracle/golden.py "$model"
    fi
    say "oracle: $config at 512x512, without and with Winograd"
    "$build/test_parity" "$model"
done

say "oracle: the unmodified openai client"
"$python" tests/http/openai_client.py "$build/limner"
say "oracle: all green"
