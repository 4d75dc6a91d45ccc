#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, and runs every test.
#
#   ./test.sh         what every change must pass (also in CI): about 40 minutes on two cores
#   ./test.sh --all   adds long fuzzing, the oracle (torch, diffusers: several GB), full-size parity,
#                     and a browser for the pages, judged by axe-core
set -euo pipefail
cd "$(dirname "$0")"
. tools/setup.sh

all=no
case "${1-}" in
    '') ;;
    --all) all=yes ;;
    *) echo "usage: ./test.sh [--all]" >&2; exit 2 ;;
esac

install "${packages_build[@]}" "${packages_test[@]}"
# Other people's code that reads our files and speaks with our server.
if ! .venv/checks/bin/python -c 'import c2pa, cryptography, openai' 2>/dev/null; then
    say "fetching c2pa-python, cryptography and openai"
    python3 -m venv .venv/checks &&
        .venv/checks/bin/pip install --quiet c2pa-python==0.38.1 cryptography openai==3.54.0 ||
        say "they cannot be had: their checks are skipped"
fi
if [ $all = yes ]; then
    install chromium
    if [ ! -d .venv/axe ]; then # a package that carries axe-core's script; its own code is not run
        say "fetching axe-core"
        python3 -m venv .venv/axe
        .venv/axe/bin/pip install --quiet --no-deps axe-playwright-python==0.1.8
    fi
fi

say "release: every test"
build release all -DWITH_TESTS=ON
ctest --test-dir build/release --output-on-failure -j 2

# checkkernels judges numbers, not memory: the sanitized builds leave it out.
say "address and undefined-behaviour sanitizers"
build asan
ctest --test-dir build/asan --output-on-failure -j 2 -LE kernels

say "thread sanitizer"
build tsan
ctest --test-dir build/tsan --output-on-failure -j 2 -L threads

say "fuzzers: the kept corpora, then a short run each"
build fuzz
tests/fuzz/run.sh build/fuzz "$([ $all = yes ] && echo 1000000 || echo 20000)"

if [ $all = yes ]; then
    say "a bad crowd of 10,000: memory stays flat"
    SOAK=10000 SOAK_MEMORY=1 build/release/test_soak
    build/release/test_ledger_crash 200
    tools/oracle/all.sh build/release
fi
say "all green"
