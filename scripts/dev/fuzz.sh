# shellcheck shell=bash
# Fuzzing with libFuzzer (clang 19). New inputs are kept in ~/.cache/perdure/fuzz, findings in build/fuzz/findings.
# Sourced by ./dev.

list_fuzz_targets() {
    [ -f fuzz/CMakeLists.txt ] || return 0
    sed -n 's/^perdure_fuzz(\([a-z_]*\).*/\1/p' fuzz/CMakeLists.txt
}

build_fuzz() { # target…
    local target targets=()
    for target in "$@"; do
        targets+=("${target}_fuzz")
    done
    build_preset fuzz "${targets[@]}"
}

fuzz_program() { # target
    find build/fuzz -type f -name "$1_fuzz" -perm -u+x | head -1
}

# Prints one line; the whole output is in build/fuzz/logs/TARGET.log.
fuzz_target() { # target seconds
    local known=$cache/fuzz/$1 log=build/fuzz/logs/$1.log options=()
    mkdir -p "$known" build/fuzz/findings build/fuzz/logs
    [ ! -f "fuzz/$1.dict" ] || options=("-dict=fuzz/$1.dict")
    if "$(fuzz_program "$1")" -max_total_time="$2" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 "${options[@]}" \
        -artifact_prefix="build/fuzz/findings/$1-" "$known" "fuzz/corpus/$1" >"$log" 2>&1; then
        echo "fuzz $1: nothing found, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, $2 s"
    else
        tail -n 60 "$log"
        echo "fuzz $1: FOUND a fault; its input is in build/fuzz/findings, the report in $log"
        return 1
    fi
}

# Several at a time; each has `seconds`. Leaves the targets that failed in build/fuzz/failed.
fuzz_targets() { # seconds target…
    local seconds=$1 target running=0
    shift
    rm -rf build/fuzz/failed
    mkdir -p build/fuzz/failed
    for target in "$@"; do
        { fuzz_target "$target" "$seconds" || : >"build/fuzz/failed/$target"; } &
        running=$((running + 1))
        if [ $running -ge "$jobs" ]; then
            wait -n
            running=$((running - 1))
        fi
    done
    wait
    [ -z "$(ls build/fuzz/failed)" ]
}

command_fuzz() {
    if [ $# != 2 ] || ! list_fuzz_targets | grep -qx "$1"; then
        echo "dev: usage: ./dev fuzz TARGET SECONDS; targets: $(list_fuzz_targets | tr '\n' ' ')" >&2
        exit 2
    fi
    need_build "${packages_fuzz[@]}"
    build_fuzz "$1"
    fuzz_target "$1" "$2"
}
