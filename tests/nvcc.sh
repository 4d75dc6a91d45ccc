#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles every CUDA kernel for sm_80, sm_90a and as PTX, warnings as errors, and fails where a
# kernel spills registers. Needs no GPU.
#
#   tests/nvcc.sh [TOOLKIT]     the folder that bin/nvcc is in; found when it is not said
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/setup.sh

toolkit=${1:-$(cuda_toolkit)}
[ -n "$toolkit" ] && [ -x "$toolkit/bin/nvcc" ] || {
    echo "nvcc: there is no CUDA compiler here, nor a way to get one"
    exit 77
}
out=build/nvcc
mkdir -p "$out"

# One file to an object, unless nothing it could depend on is newer. What the assembler says of
# registers goes to FILE.txt.
compile() {
    local source=$1 name
    name=$(basename "$source" .cu)

    [ -n "$(find "$out/$name.o" -newer "$source" 2>/dev/null)" ] &&
        [ -z "$(find kernels base -name '*.h' -newer "$out/$name.o")" ] && return
    "$toolkit/bin/nvcc" -std=c++17 -O2 -I. -c "$source" -o "$out/$name.o" \
        -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a \
        -gencode arch=compute_80,code=compute_80 -Werror all-warnings \
        -Xcompiler -Wall,-Wextra,-Wshadow -Xptxas -v,-warn-spills >"$out/$name.txt" 2>&1 || {
        cat "$out/$name.txt"
        rm -f "$out/$name.o"
        return 1
    }
}

# The host's half against the real headers, where the toolkit has cuBLAS too.
if [ -f "$toolkit/include/cublasLt.h" ]; then
    for source in kernels/cuda/*.c; do
        cc -std=gnu11 -D_GNU_SOURCE -fsyntax-only -Wall -Wextra -Wshadow -Wconversion -Werror \
            -I. -isystem "$toolkit/include" "$source"
    done
fi

export -f compile
export toolkit out
printf '%s\n' kernels/cuda/*.cu | xargs -P 2 -I{} bash -c 'compile {}'

spilled=$(grep -hE '[1-9][0-9]* bytes spill' "$out"/*.txt || true)
printf 'nvcc: %s, %d kernels for sm_80 and sm_90a, at most %d registers\n' \
    "$("$toolkit/bin/nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')" \
    "$(cat "$out"/*.txt | grep -c 'Used [0-9]* registers')" \
    "$(cat "$out"/*.txt | sed -n 's/.*Used \([0-9]*\) registers.*/\1/p' | sort -n | tail -1)"
if [ -n "$spilled" ]; then
    echo "nvcc: a kernel spills registers:"
    echo "$spilled"
    exit 1
fi
