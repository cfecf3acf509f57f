# shellcheck shell=bash
# Builds, `./dev build`, `./dev run`, `./dev bench` and `./dev format`. Sourced by ./dev.

jobs=${DEV_JOBS:-$(nproc)}
kwe=$root/src/engine/kwe

# Shared by all clones on this machine; cmake/CompileOptions.cmake sets the same for builds without ./dev.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

configure() { # preset
    local folder=build/$1
    if [ ! -f "$folder/build.ninja" ] || [ CMakePresets.json -nt "$folder/build.ninja" ]; then
        cmake --preset "$1" ${cargo:+-DCARGO="$cargo"}
    fi
}

build_preset() { # preset [target…]
    local preset=$1
    shift
    configure "$preset" || return 1
    cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"}
}

# What the program itself needs, C++ libraries and Rust, and what the command needs besides.
need_build() { # [package…]
    local rust
    read -ra rust <<<"$(rust_packages)"
    need_packages "${packages_build[@]}" "${rust[@]}" "$@"
    use_rust
}

# The program, and beside it the tool that `perdure build` calls; cargo has built it with the engine, in the folder that
# build/release was configured with.
build_release() { # [target…]
    build_preset release "$@" &&
        cp -u "$(sed -n 's/^KWE_TARGET:PATH=//p' build/release/CMakeCache.txt)/release/perdure-componentize" build/release/
}
build_program() { build_release perdure; }

command_build() {
    case ${1:-program} in
        program)
            need_build
            build_program
            echo "built build/release/perdure"
            ;;
        guests)
            need_build "${packages_guests_cpp[@]}" "${packages_guests_rust[@]}"
            need_componentize
            scripts/build_guests
            ;;
        *) echo "dev: usage: ./dev build [guests]" >&2; exit 2 ;;
    esac
}

command_run() {
    local sample=counter-cpp folder flags=() packages
    if [ $# -gt 0 ] && [[ $1 != -* ]]; then
        sample=$1
        shift
    fi
    if [ $# -gt 0 ]; then
        [ "$1" = -- ] || { echo "dev: usage: ./dev run [SAMPLE] [-- FLAGS]; samples: $(list_samples)" >&2; exit 2; }
        flags=("${@:2}")
    fi
    folder=$root/samples/$sample
    [ -f "$folder/metadata.json" ] ||
        { echo "dev: there is no sample $sample; samples: $(list_samples)" >&2; exit 2; }
    read -ra packages <<<"$(sample_packages "$folder")"
    need_build "${packages[@]}"
    build_program
    build_sample "$sample" "$folder"
    # A home for each sample, so that what is shown is this sample's.
    [[ " ${flags[*]} " == *" --home"* ]] || flags=(--home "$HOME/.perdure-dev/$sample" "${flags[@]}")
    mkdir -p "$HOME/.perdure-dev"
    exec build/release/perdure run "${flags[@]}" "$folder"
}

has_benches() { [ -f bench/CMakeLists.txt ]; }

command_bench() {
    has_benches || { echo "dev: there are no benches in this tree" >&2; exit 1; }
    local bench found=no
    need_build "${packages_bench[@]}"
    build_preset dist benches
    for bench in build/dist/bench/*_bench; do
        [ -x "$bench" ] || continue
        [ -z "${1:-}" ] || [ "$(basename "$bench" _bench)" = "$1" ] || continue
        found=yes
        "$bench"
    done
    [ $found = yes ] || { echo "dev: there is no bench ${1:-}; see bench/" >&2; exit 2; }
}

command_format() {
    local files mode=(-i) status=0 rust=()
    [ "${1:-}" != --check ] || mode=(--dry-run -Werror)
    ! command -v rustfmt >/dev/null || read -ra rust <<<"$(rust_packages)"
    need_packages git "${packages_format[@]}" "${rust[@]}"
    mapfile -t files < <(git ls-files -co --exclude-standard -- '*.h' '*.cc' '*.cpp' | grep -v '^sdk/cpp/glue/' |
        while read -r file; do [ ! -f "$file" ] || echo "$file"; done)
    clang-format-19 "${mode[@]}" "${files[@]}" || status=1
    if command -v rustfmt >/dev/null; then
        mode=()
        [ "${1:-}" != --check ] || mode=(--check)
        use_rust
        "$cargo" fmt --manifest-path "$kwe/Cargo.toml" --all -- "${mode[@]}" || status=1
    fi
    return $status
}
