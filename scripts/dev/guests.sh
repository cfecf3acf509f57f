# shellcheck shell=bash
# Samples and guests: what they need, and how a sample becomes a package. Sourced by ./dev.

list_samples() {
    local file
    for file in samples/*/metadata.json; do
        basename "$(dirname "$file")"
    done | tr '\n' ' '
}

sample_packages() { # sample-folder
    if ls "$1"/*/Cargo.toml >/dev/null 2>&1; then
        echo "${packages_guests_rust[*]}"
    else
        echo "${packages_guests_cpp[*]}"
    fi
}

# perdure-componentize, which turns core modules into components, comes from the engine's workspace.
need_componentize() {
    (
        unset RUSTFLAGS
        scripts/kwe_cargo release "" "$cargo" build --locked --profile release --workspace --all-targets \
            --manifest-path "$kwe/Cargo.toml"
    )
    export PERDURE_COMPONENTIZE=$CARGO_TARGET_DIR/release/perdure-componentize
}

# True once the program itself can compile packages.
program_builds_packages() { ls src/cli/*build*.cc >/dev/null 2>&1; }

build_sample() { # name folder
    local out
    if program_builds_packages; then
        build/release/perdure build "$2"
        return
    fi
    need_componentize
    out=$cache/samples
    mkdir -p "$out"
    scripts/build_guests --out "$out" "$1"
    # The manifest names the file that it expects.
    cp "$out/$1.wasm" "$2/pkg/$(sed -n 's/.*"process_wasm_path": *"\/\([^"]*\)".*/\1/p' "$2/pkg/manifest.json")"
}
