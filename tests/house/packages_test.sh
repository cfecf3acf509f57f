#!/usr/bin/env bash
# Without root, every command of ./dev says all packages it lacks in one line of apt's, and stops before it does anything;
# once those are there, it asks for no more. Runs in a small copy of the tree, with a Debian that has nothing.
set -euo pipefail
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0
refuse() { echo "$*"; bad=1; }

# What stands for the tools: who is called notes it and fails.
mkdir -p "$scratch/bin" "$scratch/home"
for tool in apt-get cmake ctest cargo rustfmt clang-format-19 clang-tidy-19; do
    printf '#!/bin/sh\necho %s >>"%s/called"\nexit 1\n' "$tool" "$scratch" >"$scratch/bin/$tool"
done
printf '#!/bin/sh\necho 1000\n' >"$scratch/bin/id"
printf '#!/bin/sh\ncat "%s/installed"\nexit 1\n' "$scratch" >"$scratch/bin/dpkg-query"
chmod +x "$scratch/bin/"*

# Enough of a tree for every part of `--full` to be listed.
mkdir -p "$scratch/tree/"{guests,fuzz,bench,src/engine/kwe,tests/soak,tests/crash,tests/functional}
cp -r "$tree/dev" "$tree/scripts" "$tree/samples" "$tree/.clang-tidy" "$tree/CMakePresets.json" "$scratch/tree/"
cp "$tree/fuzz/CMakeLists.txt" "$scratch/tree/fuzz/"
touch "$scratch/tree/bench/CMakeLists.txt" "$scratch/tree/tests/"{soak/soak,crash/crash,functional/kill,functional/flip}_test.cc

dev() { # command argument… : as ./dev, on a machine without a new Rust
    (
        export PATH=$scratch/bin:$PATH HOME=$scratch/home
        cd "$scratch/tree"
        # shellcheck source=/dev/null
        source "$scratch/tree/dev" help >/dev/null
        debian_cargo=$scratch/bin/cargo
        rust_is_new_enough() { return 1; }
        "command_$1" "${@:2}"
    ) 2>&1 </dev/null
}

wanted() { # list… : the packages of these lists of packages.sh
    (
        # shellcheck source=/dev/null
        source "$tree/scripts/dev/packages.sh"
        packages_git=(git)
        local list
        for list in "$@"; do
            local -n packages=packages_$list
            printf '%s\n' "${packages[@]}"
        done | sort -u
    )
}

expect() { # "command argument…" list…
    local command=$1 output status=0 asked
    local words
    read -ra words <<<"$command"
    shift
    : >"$scratch/installed"
    rm -f "$scratch/called"
    output=$(dev "${words[@]}") || status=$?
    [ "$status" != 0 ] || refuse "./dev $command: went on without its packages"
    [ ! -e "$scratch/called" ] || refuse "./dev $command: called $(tr '\n' ' ' <"$scratch/called")before it had its packages"
    [ "$(grep -c '^apt-get install' <<<"$output")" = 1 ] || refuse "./dev $command: not one line of apt's: $output"
    asked=$(sed -n 's/^apt-get install -y --no-install-recommends //p' <<<"$output" | tr ' ' '\n' | sort)
    [ "$asked" = "$(wanted "$@")" ] ||
        refuse "./dev $command: asks for other packages than it needs: $(diff <(echo "$asked") <(wanted "$@") || true)"

    # The second round: it has what it asked for, and goes on to what it does.
    sed 's/^/ii  /' <<<"$asked" >"$scratch/installed"
    output=$(dev "${words[@]}") || true
    ! grep '^apt-get install' <<<"$output" || refuse "./dev $command: asks a second time"
    [ -e "$scratch/called" ] || refuse "./dev $command: did nothing with its packages there: $output"
    ! grep -sqx apt-get "$scratch/called" || refuse "./dev $command: called apt-get without being root"
}

expect build build rust
expect 'build guests' build rust guests_cpp guests_rust
expect run build rust guests_cpp
expect 'run counter-rust' build rust guests_rust
expect test build rust format fuzz guests_cpp guests_rust
expect 'test --full' build rust fuzz guests_cpp guests_rust tidy bench
expect 'test --full soak' build rust
expect 'test --full tidy' build rust tidy
expect 'fuzz address 1' build rust fuzz
expect bench build rust bench
expect format git format rust

exit $bad
