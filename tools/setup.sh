#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a bare Debian 12 needs before limner builds: sourced by run.sh and test.sh.
# Quick the second time: asks dpkg what is there and installs only what is missing.

packages_build=(gcc libc6-dev cmake ninja-build pkg-config libdnnl-dev libh2o-evloop-dev
    libssl-dev libjansson-dev libsqlite3-dev libcyaml-dev libyaml-dev libutf8proc-dev libpng-dev
    libwebp-dev libturbojpeg0-dev libcurl4-openssl-dev libpcre2-dev libstb-dev)
packages_test=(g++ libcmocka-dev clang libclang-rt-14-dev libomp-dev clang-format curl
    python3 python3-venv)

say() {
    printf '\033[1m==>\033[0m %s\n' "$*" >&2
}

# install PACKAGE...: only what dpkg does not have.
install() {
    local package missing=()

    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if ! command -v apt-get >/dev/null; then
        say "Please install, in your system's names: ${missing[*]}"
        exit 1
    fi
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "Run once as root, or install: ${missing[*]}"; exit 1; }
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq \
        --no-install-recommends "${missing[@]}" >/dev/null
}

# build PRESET [TARGET [CMAKE OPTION...]]: configure, which is quick the second time, then compile
# what changed.
build() {
    local preset=$1 target=${2:-all}

    shift $(($# < 2 ? $# : 2))
    say "building build/$preset"
    cmake --preset "$preset" "$@" >/dev/null
    ninja -C "build/$preset" --quiet "$target"
}

# cuda_toolkit: the folder of a CUDA compiler and its headers, on standard output; nothing when there
# is none to be had. A machine without the toolkit gets what compiling takes (100 MB), as wheels.
cuda_toolkit() {
    local wheels=.cache/cuda here

    if command -v nvcc >/dev/null; then
        here=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")
    elif [ -x /usr/local/cuda/bin/nvcc ]; then
        here=/usr/local/cuda
    else
        here=$PWD/$wheels/nvidia/cu13
        if [ ! -x "$here/bin/nvcc" ]; then
            install python3 python3-pip >&2 || return 0
            say "fetching the CUDA compiler"
            python3 -m pip download -q --no-deps -d "$wheels" nvidia-cuda-nvcc==13.0.* \
                nvidia-nvvm==13.0.* nvidia-cuda-crt==13.0.* nvidia-cuda-runtime==13.0.* >&2 || return 0
            for wheel in "$wheels"/*.whl; do
                python3 -m zipfile -e "$wheel" "$wheels"
                rm "$wheel"
            done
            chmod -R +x "$here/bin" "$here/nvvm/bin"
        fi
    fi
    echo "$here"
}
