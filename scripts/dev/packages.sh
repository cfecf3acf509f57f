# shellcheck shell=bash
# Debian packages and the Rust tool chain. Sourced by ./dev.
#
# Packages are installed by apt and by nothing else. Each command names everything it needs at once, before it does
# anything: without root one line says all that is missing. A list is checked with one dpkg-query, so a machine that has
# everything loses a few milliseconds here.

packages_build=(
    ca-certificates git g++ cmake ninja-build pkg-config ccache mold
    librocksdb-dev libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libyaml-cpp-dev libcli11-dev
    libspdlog-dev libfmt-dev libsodium-dev libsqlite3-dev libgtest-dev libgmock-dev
)
packages_rust=(rustc-web cargo-web)
packages_guests_cpp=(clang lld wasi-libc libclang-rt-14-dev-wasm32 libc++-14-dev-wasm32 libc++abi-14-dev-wasm32)
packages_guests_rust=(rustc-web cargo-web rust-web-src libllvm22 wasi-libc lld)
packages_fuzz=(clang-19 libclang-rt-19-dev llvm-19)
packages_format=(clang-format-19)
packages_tidy=(clang-19 clang-tidy-19)
packages_bench=(erlang-base)  # the peer that some figures are compared with

rust_minor_least=95  # rustc 1.95, as src/engine/kwe/Cargo.toml asks
debian_cargo=/usr/bin/cargo

missing_packages() { # package…
    local installed
    # dpkg-query fails when it does not know one of them.
    installed=" $({ dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null || true; } |
        sed -n 's/^ii *//p' | tr '\n' ' ')"
    local package
    for package in "$@"; do
        [[ $installed == *" $package "* ]] || echo "$package"
    done
}

need_packages() { # package…
    local missing
    if ! command -v dpkg-query >/dev/null; then
        echo "dev: no dpkg here; these Debian packages, or what stands for them, have to be there: $*" >&2
        return
    fi
    mapfile -t missing < <(missing_packages "$@" | sort -u)
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "dev: some packages are missing, and only root can install them:" >&2
        echo "apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
    (
        # Packages of servers must not start them.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            printf '#!/bin/sh\nexit 101\n' >$policy
            chmod 755 $policy
            trap 'rm -f $policy' EXIT
        fi
        export DEBIAN_FRONTEND=noninteractive
        if [ "${packages_updated:-no}" = no ]; then
            apt-get update -q -o DPkg::Lock::Timeout=600
        fi
        apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 "${missing[@]}"
    ) || { echo "dev: the packages could not be installed" >&2; exit 1; }
    packages_updated=yes
}

rust_is_new_enough() { # cargo
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#cargo }
    local major=${version%%.*} rest=${version#*.}
    [ "$major" -gt 1 ] || [ "${rest%%.*}" -ge $rust_minor_least ]
} 2>/dev/null

has_rust_in_path() { command -v cargo >/dev/null && rust_is_new_enough "$(command -v cargo)"; }

# The packages that bring Rust, where there is none that is new enough.
rust_packages() {
    has_rust_in_path || rust_is_new_enough "$debian_cargo" || echo "${packages_rust[*]}"
}

# Sets `cargo`; with Debian's pair also RUSTC, because another rustc may stand first in PATH.
use_rust() {
    if has_rust_in_path; then
        cargo=$(command -v cargo)
    else
        cargo=$debian_cargo
        export RUSTC=/usr/bin/rustc
    fi
    export CARGO_TARGET_DIR=$cache/cargo
}
