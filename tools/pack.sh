#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Packs files that ship packed (CMakeLists.txt unpacks them): the same files give the same bytes.
#
#   tools/pack.sh moderation/weights/weights.tar.xz main.safetensors second.safetensors
#   tools/pack.sh starter/weights.tar.xz text_encoder/model.safetensors \
#       unet/diffusion_pytorch_model.safetensors vae/diffusion_pytorch_model.safetensors
#   tools/pack.sh tests/golden/tokenizer/tokens.tar.xz starter.bin tiny_sd2.bin
#
# Files are named from the archive's folder.
set -euo pipefail
archive=$(realpath -m "$1")
shift
cd "$(dirname "$archive")"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=644 -cf - "$@" |
    xz -9e -T1 >"$archive.new"
mv "$archive.new" "$archive"
