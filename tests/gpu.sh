#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that only a GPU can tell, in one go.
#
#   tests/gpu.sh --pack             where packages can be fetched: what a bare GPU machine lacks, into
#                                   .gpu/ (ignored by git; with the tree under 60 MiB)
#   tests/gpu.sh [--only PART,...]  on a machine with CUDA 13, cuDNN, CMake, ninja and PyTorch, and
#                                   nothing else; nothing is fetched
#   tests/gpu.sh --dry-run          the same parts on a CPU, small: that the scripts work
#
# Parts, each with its own time limit; one that fails does not stop the others:
#   build     limner for this GPU
#   check     every slot and rung against plain C in double, batches against single images
#   parity    every stage of the tiny pipelines against diffusers' numbers
#   sanitize  small shapes under compute-sanitizer: memory and races
#   picture   the starter model from prompt to PNG, by the command line and over HTTP
#   bench     SD 1.5's networks against PyTorch on the same card in the same run
#   serve     SD 1.5 from text to picture with 8 and 32 seats, and under a load of 80 % of that; only
#             when asked for, behind bench, which makes the model
#   bench_xl  SDXL's UNet likewise; only when asked for, it takes ten minutes by itself
#
# The last lines are tables; numbers go to bench/results/, logs to $OUT or build/gpu/.
set -uo pipefail
cd "$(dirname "$0")/.."
. tools/setup.sh

packed=$PWD/.gpu
logs=${OUT:-$PWD/build/gpu}
tree=$PWD/build/gpu/tree
device=cuda
parts=build,check,parity,sanitize,picture,bench

packages=(libjansson4 libjansson-dev libutf8proc2 libutf8proc-dev libpng16-16 libpng-dev libwebp7
    libwebp-dev libturbojpeg0 libturbojpeg0-dev libh2o-evloop0.13 libh2o-evloop-dev
    libh2o-dev-common libwslay1 libwslay-dev libssl-dev libcmocka0 libcmocka-dev zlib1g-dev
    pkgconf-bin libpkgconf3 libsqlite3-0 libsqlite3-dev libcyaml1 libcyaml-dev libyaml-0-2
    libyaml-dev libcurl4 libcurl4-openssl-dev libpcre2-8-0 libpcre2-dev libstb-dev)

# What libcurl needs behind it, which the linker looks for too.
behind() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances libcurl4 | grep '^[a-z]' | sort -u |
        grep -v -E '^(libc6|libgcc-s1|gcc-12-base|libssl3|libdb5.3|libsasl2-modules-db)$'
}

pack() {
    local debs=$packed/debs

    rm -rf "$packed"
    mkdir -p "$debs" "$packed/root" "$packed/wheels"
    apt-get update -qq
    (cd "$debs" && for package in "${packages[@]}" $(behind); do
        apt-get download -qq "$package" 2>/dev/null || echo "pack: Debian has no $package" >&2
    done)
    for deb in "$debs"/*.deb; do
        dpkg -x "$deb" "$packed/root"
    done
    rm -rf "$debs" "$packed"/root/etc
    find "$packed/root/usr/share" -mindepth 1 -maxdepth 1 ! -name pkgconfig -exec rm -r {} +
    find "$packed/root" -name "libbrotlienc*" -delete
    # What links by name alone must find a library, and the archives beside it are not needed.
    find "$packed/root" -name '*.a' ! -name 'libh2o*' ! -name 'libwslay*' -delete
    tar -C "$packed" -cJf "$packed/root.tar.xz" root
    rm -rf "$packed/root"
    python3 -m pip download -q --no-deps -d "$packed/wheels" diffusers==0.35.1
    du -sm "$packed" "$(git rev-parse --git-dir)" 2>/dev/null
    local bytes
    bytes=$(($(du -sb "$packed" | cut -f1) + $(git ls-files -z | xargs -0 du -cb | tail -1 | cut -f1)))
    say "with the tree: $((bytes >> 20)) MiB of 60"
    [ "$bytes" -lt $((60 << 20)) ]
}

# The packed libraries, for compiler, linker and loader.
use_packed() {
    local root=$PWD/build/gpu/root
    local lib=$root/usr/lib/x86_64-linux-gnu headers=$root/usr/include

    [ -e "$packed/root.tar.xz" ] || return 0
    mkdir -p build/gpu && (cd build/gpu && cmake -E tar xf "$packed/root.tar.xz") || return
    export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$lib/pkgconfig
    export C_INCLUDE_PATH=$headers:$headers/x86_64-linux-gnu CPLUS_INCLUDE_PATH=$headers
    export LIBRARY_PATH=$lib CMAKE_LIBRARY_PATH=$lib
    export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    command -v pkg-config >/dev/null || export PKG_CONFIG=$root/usr/bin/pkgconf
    if compgen -G "$packed/wheels/*.whl" >/dev/null; then
        mkdir -p build/gpu/python
        python3 -m pip install -q --no-index --no-deps --upgrade --target build/gpu/python \
            "$packed"/wheels/*.whl
        export PYTHONPATH=$PWD/build/gpu/python
    fi
}

# cuDNN where PyTorch brought it.
use_cudnn() {
    local there

    there=$(python3 -c 'import nvidia.cudnn, os; print(list(nvidia.cudnn.__path__)[0])' 2>/dev/null) ||
        return 0
    export LD_LIBRARY_PATH=$there/lib:$LD_LIBRARY_PATH
    cudnn=-DCUDNN_INCLUDE=$there/include
}

part_build() {
    local options=(-DWITH_CUDA=ON -DWITH_ONEDNN=OFF -DCMAKE_CUDA_ARCHITECTURES="$architectures" ${cudnn-})

    [ $device = cpu ] && options=()
    cmake -S . -B "$tree" -G Ninja -DCMAKE_BUILD_TYPE=Release "${options[@]}" &&
        ninja -C "$tree" limner checkkernels bench_stages bench_engine test_parity
}

part_check() {
    if [ $device = cpu ]; then
        "$tree/checkkernels" --drawn
    else
        "$tree/checkkernels" --device=cuda --tsv="$logs/check.tsv" &&
            "$tree/checkkernels" --device=cuda --bench --full --type=bf16 --tsv="$logs/times.tsv"
    fi
}

part_parity() {
    [ $device = cpu ] && "$tree/test_parity" && return
    "$tree/test_parity" --device=cuda
}

part_sanitize() {
    local tool

    [ $device = cpu ] && return 0
    for tool in memcheck racecheck; do
        compute-sanitizer --tool $tool --target-processes all --error-exitcode 9 \
            "$tree/checkkernels" --device=cuda --drawn --type=bf16 --caps=sm80,sm90 || return 1
    done
}

part_picture() {
    local server

    "$tree/limner" generate "red apple, flat fluent style emoji" --device $device --model starter \
        --seed 1 --marks off -o "$logs/apple.png" || return 1 # every marked copy has other bytes
    "$tree/limner" serve --device $device --model starter --listen 127.0.0.1:18080 \
        --metrics 127.0.0.1:19090 --state build/gpu/state --marks off &
    server=$!
    for _ in $(seq 600); do
        curl -sf http://127.0.0.1:18080/readyz >/dev/null && break
        kill -0 $server || return 1
        sleep 0.5
    done
    curl -sf http://127.0.0.1:18080/v1/images/generations -H 'Content-Type: application/json' \
        -H 'Accept: image/png' -d '{"prompt": "red apple, flat fluent style emoji", "seed": 1}' \
        -o "$logs/served.png"
    local code=$?
    curl -s http://127.0.0.1:19090/metrics | grep limner_gpu
    kill $server
    wait $server
    [ $code = 0 ] && cmp "$logs/apple.png" "$logs/served.png"
}

# One row of limner's for every case that peer.py times, and precision that it names.
bench() {
    local family=$1 folder=build/gpu/$1 case stage rows size runs precisions precision

    python3 tests/gpu/peer.py --family "$family" --models "$folder" --out "$logs/peer_$family.json" ||
        return 1
    rm -f "$logs/$family.txt"
    : >"$logs/limner_$family.tsv"
    while read -r case stage rows size runs precisions; do
        for precision in ${precisions//,/ }; do
            "$tree/bench_stages" "$folder" --device=$device --stage="$stage" --rows="$rows" \
                --size="$size" --runs="$runs" --precision="$precision" --plans="$logs/plans.tsv" |
                awk -v name="$case\t$precision" \
                    '!/^#/ && $1 != "stage" {print name "\t" $4 * 1000 "\t" $5 * 1000}' \
                    >>"$logs/limner_$family.tsv" || return 1
        done
    done < <(python3 tests/gpu/peer.py --family "$family" --list)
    python3 tests/gpu/report.py "$logs/peer_$family.json" "$logs/limner_$family.tsv" bench/results \
        "$family"
}

part_bench() {
    if [ $device = cpu ]; then bench small; else bench sd15; fi
}

part_bench_xl() {
    if [ $device = cpu ]; then bench small; else bench sdxl; fi
}

# Each is `name: value` lines; the rate is what 32 seats make, and the load is 80 % of it.
part_serve() {
    local folder=build/gpu/sd15 seats=(8 32) steps=20 marks=on rate server
    local url=http://127.0.0.1:18080

    [ $device = cpu ] && folder=tests/golden/tiny_sd1 seats=(2) steps=4 marks=off # too small for one
    for many in "${seats[@]}"; do
        "$tree/bench_engine" "$folder" --device=$device --seats="$many" --steps=$steps --seconds=20 \
            --only=busy --plans="$logs/plans.tsv" | tee "$logs/busy_$many.txt" || return 1
    done
    rate=$(awk '{print 0.8 * $2}' "$logs/busy_$many.txt")
    "$tree/limner" serve --device $device --model "$folder" --seats "$many" --listen 127.0.0.1:18080 \
        --metrics 127.0.0.1:19090 --state build/gpu/state --marks $marks &
    server=$!
    for _ in $(seq 1200); do
        curl -sf $url/readyz >/dev/null && break
        kill -0 $server || return 1
        sleep 0.5
    done
    for load in 0.5 "$rate"; do
        "$tree/limner" bench --url $url --rate "$load" --duration 40 --mix "steps=$steps" \
            --json "$logs/served_$load.json" --svg "$logs/served_$load.svg" | tee -a "$logs/served.txt"
    done
    kill $server
    wait $server
}

limit() {
    case $1 in
        build) echo 240 ;;
        check) echo 240 ;;
        sanitize) echo 180 ;;
        bench) echo 300 ;;
        bench_xl) echo 560 ;;
        serve) echo 420 ;;
        *) echo 120 ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
        --pack) pack; exit ;;
        --dry-run) device=cpu ;;
        --only) parts=$2; shift ;;
        --part) # one part, called from below with a time limit
            use_packed
            use_cudnn
            architectures=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null |
                head -1 | tr -d .)
            [ "$architectures" = 90 ] && architectures=90a
            "part_$2"
            exit
            ;;
        *) sed -n '3,12p' "$0"; exit 2 ;;
    esac
    shift
done

mkdir -p "$logs"
failed=0
summary=
dry=()
[ $device = cpu ] && dry=(--dry-run)
for part in ${parts//,/ }; do
    begun=$SECONDS
    timeout -k 10 "$(limit "$part")" "$0" "${dry[@]}" --part "$part" >"$logs/$part.log" 2>&1
    code=$?
    [ $code = 0 ] && word=ok || { word="FAILED ($code)"; failed=1; tail -15 "$logs/$part.log"; }
    summary+=$(printf '%-10s %-14s %4d s' "$part" "$word" $((SECONDS - begun)))$'\n'
done
for table in "$logs"/{sd15,sdxl,small}.txt; do
    [ -f "$table" ] && cat "$table"
done
printf '%s' "$summary"
exit $failed
