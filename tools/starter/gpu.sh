#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The whole training as three commands of at most nine and a half minutes on one GPU:
#
#   gpu.sh 1   configurations, tokenizer, autoencoder
#   gpu.sh 2   latents, first half of the UNet and the text encoder
#   gpu.sh 3   second half, sheets of samples
#
# The data lies in $ROOM/data (pack.py made it). Results go to $OUT: the model folder with its logs
# as a tar cut in parts of 15 MB, and the sheets. A command finds what the one before left in
# $ROOM/work; on a machine that kept nothing it takes the parts of that tar from $ROOM/back.
#
# DRY=1 does the same with the tiny preset and a few pictures: it tests this script, on any CPU.
set -euo pipefail
part=${1:?usage: gpu.sh 1|2|3}
tools=$(cd "$(dirname "$0")" && pwd)
ROOM=${ROOM:-build/starter}
OUT=${OUT:-$ROOM/out}
PYTHON=${PYTHON:-python3}
export PYTHONUNBUFFERED=1 TORCHINDUCTOR_CACHE_DIR=$PWD/$ROOM/inductor
data=$ROOM/data work=$ROOM/work model=$ROOM/work/model
begin=$(date +%s)

if [ -n "${DRY:-}" ]; then
    limit=${LIMIT:-300} preset=tiny few=(--limit 48) threads=(--threads 1)
    vae_args=(--batch 4 --log-steps 5 --warm 5) unet_args=(--batch 8 --log-steps 5 --warm 5)
    length=(--steps 10)
else
    limit=${LIMIT:-555} preset=base few=() threads=()
    vae_args=(--batch 64) unet_args=(--batch 512)
    length=(--until $((begin + limit - 50)))
fi

step() {
    echo "== $(($(date +%s) - begin)) s: $*"
    local left=$((begin + limit - $(date +%s)))
    timeout "$((left > 1 ? left : 1))" "$PYTHON" "$tools/$1.py" "${@:2}"
}

recall() { # what an earlier command gave back, on a machine that kept nothing
    if [ ! -d "$model" ] && ls "$ROOM"/back/starter.tar.* >/dev/null 2>&1; then
        mkdir -p "$work"
        cat "$ROOM"/back/starter.tar.* | tar -C "$work" -x
    fi
}

give() {
    mkdir -p "$OUT"
    tar -C "$work" -c model logs | split -b 15000000 -d - "$OUT/starter.tar."
    ls -l "$OUT"
}

autoencoder() {
    step configure --preset "$preset" --model "$model"
    step make_tokenizer --model "$model" --data "$data/pictures" "$data/icons" \
        --aliases "$tools/aliases.json"
    local teacher=()
    [ ! -d "$data/teacher" ] || teacher=(--teacher "$data/teacher")
    step train_vae --model "$model" --data "$data/pictures" --icons "$data/icons" \
        "${teacher[@]}" "${few[@]}" "${threads[@]}" "${vae_args[@]}" \
        --ckpt "$work/vae.pt" --log "$work/logs/vae.tsv" "${length[@]}"
    step export --model "$model" --vae "$work/vae.pt"
}

latents() {
    [ -f "$work/latents.pt" ] || step cache_latents --model "$model" --data "$data/pictures" \
        --icons "$data/icons" --aliases "$tools/aliases.json" --views 4 --paints 2 \
        "${few[@]}" "${threads[@]}" --out "$work/latents.pt"
}

denoiser() { # share of the schedule to reach, arguments that say where to start
    step train_unet --model "$model" --latents "$work/latents.pt" "${threads[@]}" \
        "${unet_args[@]}" --ckpt "$work/unet.pt" --log "$work/logs/unet$part.tsv" \
        "${length[@]}" --to "$1" "${@:2}"
    step export --model "$model" --unet "$work/unet.pt"
}

sheets() {
    mkdir -p "$OUT"
    for list in held_out vocabulary; do
        step sheet --model "$model" --prompts "$tools/$list.txt" --columns 8 "${threads[@]}" \
            --out "$OUT/$list.png"
    done
}

recall
case $part in
1) autoencoder ;;
2)
    latents
    denoiser 0.5
    ;;
3)
    latents
    if [ -f "$work/unet.pt" ]; then
        denoiser 1 --resume
    else
        denoiser 1 --from-model --start 0.5
    fi
    sheets
    ;;
*)
    echo "no part $part" >&2
    exit 2
    ;;
esac
give
