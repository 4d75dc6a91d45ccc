#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/fuzz/run.sh BUILD RUNS: every fuzzer over its kept corpus, then RUNS fresh executions each.
# Fresh inputs go to a throw-away folder; a finding stops the run and leaves its input in BUILD.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=$1
runs=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for fuzzer in "$build"/fuzz_*; do
    [ -x "$fuzzer" ] || continue
    name=$(basename "$fuzzer")
    mkdir "$scratch/$name"
    echo "$name: $runs runs"
    "$fuzzer" -runs="$runs" -seed=1 -max_len=65536 -timeout=20 -rss_limit_mb=4096 \
        -artifact_prefix="$build/$name-" -verbosity=0 -print_final_stats=0 \
        "$scratch/$name" "tests/fuzz/corpus/${name#fuzz_}"
done
