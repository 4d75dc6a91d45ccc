#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every C and CUDA file as clang-format 14 writes it. Another version formats otherwise, so it is a skip.
cd "$(dirname "$0")/.." || exit 1
clang-format --version 2>/dev/null | grep -q 'version 14\.' || exit 77
find base store codec kernels models moderation watermark engine server tests bench \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cpp' \) -print0 |
    xargs -0 clang-format --dry-run -Werror || {
    echo "format: run clang-format -i on the files above"
    exit 1
}
