#!/usr/bin/env bash
# Wasmtime is compiled once: what the build links and what the tests of the Rust part link are one and the same artifact.
# Different packages, features or flags in the two commands would compile it a second time.
#
# usage: one_wasmtime.sh CARGO TARGET_FOLDER PROFILE
set -euo pipefail
cargo=$1 profile=$3
manifest=$(dirname "${BASH_SOURCE[0]}")/../../src/engine/kwe/Cargo.toml
export CARGO_TARGET_DIR=$2
unset RUSTFLAGS

artifacts() { # words of cargo
    "$cargo" "$@" --locked --profile "$profile" --workspace --all-targets --manifest-path "$manifest" \
        --message-format=json 2>/dev/null |
        grep '"reason":"compiler-artifact"' | grep '"name":"wasmtime"' |
        grep -o '"filenames":\[[^]]*\]' | LC_ALL=C sort -u
}
built=$(artifacts build)
tested=$(artifacts test --no-run)
if [ -z "$built" ] || [ "$(wc -l <<<"$built")" != 1 ] || [ "$built" != "$tested" ]; then
    echo "Wasmtime was compiled more than once; build and test need the same packages and features."
    echo "build: $built"
    echo "test:  $tested"
    exit 1
fi
echo "one artifact: $built"
