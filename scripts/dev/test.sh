# shellcheck shell=bash
# `./dev test`: the tier that has to pass before a change is handed in. Sourced by ./dev.
#
# Every step runs, also after one that failed, unless it stands on it. The end is a table of seconds, then one line
# `N passed, N failed` that counts single test cases: those of GoogleTest and cargo, one for every other test of ctest,
# one for every fuzz target, and one failure for every step that could not be done at all.

passed=0
failed=0
steps=()
fuzz_seconds=${DEV_FUZZ_SECONDS:-240}  # shared by all targets

count() { # passed failed
    passed=$((passed + $1))
    failed=$((failed + $2))
}

# Runs a function; its own `count` calls count. A step that fails without having counted a failure is one failure.
step() { # name function argument…
    local name=$1 start=$SECONDS before=$failed passed_before=$passed word=ok
    shift
    echo
    echo "=== $name"
    "$@" || [ "$failed" -gt "$before" ] || count 0 1
    [ "$failed" = "$before" ] || word=FAILED
    steps+=("$(printf '%-44s %5d s  %6d passed %4d failed  %s' \
        "$name" $((SECONDS - start)) $((passed - passed_before)) $((failed - before)) "$word")")
    [ $word = ok ]
}

closing_line() {
    echo
    printf '%s\n' "${steps[@]}"
    echo
    echo "$passed passed, $failed failed"
}

# --- counting -------------------------------------------------------------------------------------------------------

attribute_sum() { # attribute lines… on standard input
    grep -o " $1=\"[0-9]*\"" | grep -o '[0-9]*' | awk '{ sum += $1 } END { print sum + 0 }'
}

# Cases of the GoogleTest programs by their reports; everything else that ctest ran counts as one. A program that failed
# without a failed case (a crash, a leak, a time-out) counts as one failure.
count_ctest() { # folder-of-reports ctest-output
    local file cases bad skipped programs_good=0 programs_bad=0 tests tests_bad
    for file in "$1"/*.xml; do
        [ -f "$file" ] || continue
        cases=$(grep '<testsuites ' "$file" | attribute_sum tests)
        bad=$(grep '<testsuites ' "$file" | attribute_sum failures)
        skipped=$(grep '<testsuite ' "$file" | grep -o ' \(disabled\|skipped\)="[0-9]*"' | grep -o '[0-9]*' |
            awk '{ sum += $1 } END { print sum + 0 }')
        count $((cases - bad - skipped)) "$bad"
        if [ "$bad" = 0 ]; then programs_good=$((programs_good + 1)); else programs_bad=$((programs_bad + 1)); fi
    done
    tests=$(grep -c '^ *[0-9]*/[0-9]* Test ' "$2" || true)
    tests_bad=$(grep '^ *[0-9]*/[0-9]* Test ' "$2" | grep -c -v ' Passed ' || true)
    local others_bad=$((tests_bad - programs_bad)) others_good=$((tests - tests_bad - programs_good))
    count $((others_good > 0 ? others_good : 0)) $((others_bad > 0 ? others_bad : 0))
    [ "$tests" -gt 0 ] || { echo "dev: ctest found no tests"; return 1; }
    [ "$tests_bad" = 0 ]
}

run_ctest() { # preset argument…
    local folder=build/$1 reports=build/$1/reports output=build/$1/ctest.log status=0
    shift
    rm -rf "$reports"
    mkdir -p "$reports"
    GTEST_OUTPUT="xml:$root/$reports/" ASAN_OPTIONS=detect_leaks=1 \
        ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$jobs" "$@" </dev/null | tee "$output" || status=1
    count_ctest "$reports" "$output" || status=1
    return $status
}

count_cargo() { # cargo-output
    local good bad
    good=$(sed -n 's/^test result: .* \([0-9]*\) passed;.*/\1/p' "$1" | awk '{ sum += $1 } END { print sum + 0 }')
    bad=$(sed -n 's/^test result: .*; \([0-9]*\) failed;.*/\1/p' "$1" | awk '{ sum += $1 } END { print sum + 0 }')
    count "$good" "$bad"
    [ $((good + bad)) -gt 0 ]
}

# --- steps ----------------------------------------------------------------------------------------------------------

# The same words as the build in cmake/Engine.cmake: one set of packages and features, one Wasmtime.
test_cargo() {
    local output=build/release/cargo.log status=0
    (
        unset RUSTFLAGS
        scripts/kwe_cargo release "" \
            "$cargo" test --locked --profile release --workspace --all-targets --no-fail-fast \
            --manifest-path "$kwe/Cargo.toml" </dev/null
    ) 2>&1 | tee "$output" || status=1
    count_cargo "$output" || status=1
    return $status
}

# What the tests with these labels printed themselves: tables of what they covered.
show_output_of() { # preset label
    local name
    ctest --test-dir "build/$1" -N -L "$2" | sed -n 's/^ *Test *#[0-9]*: //p' | while read -r name; do
        echo "--- $name"
        awk -v name="$name" '
            /^[0-9]+\/[0-9]+ Testing: / { inside = $3 == name }
            inside && !/^\[|^Note: |^Running main|^Command: |^Directory: |^".*" (start|end) time|^Output:|^-+$|^<end|^Test |^[0-9]+\/[0-9]+ Test/
        ' "build/$1/Testing/Temporary/LastTest.log" | sed '/^$/d'
    done
}

test_release() { run_ctest release -LE crash; }

test_crash() { # images
    local status=0
    PERDURE_CRASH_POINTS=$1 run_ctest release -L crash || status=1
    show_output_of release crash
    return $status
}

# Only the unit tests and the crash suites: their programs bear the names of their tests.
build_asan() {
    local targets
    configure asan || return 1
    mapfile -t targets < <(ctest --test-dir build/asan -N -L 'unit|crash' | sed -n 's/^ *Test *#[0-9]*: //p')
    [ ${#targets[@]} -gt 0 ] || { echo "dev: no tests are configured in build/asan"; return 1; }
    build_preset asan "${targets[@]}"
}

test_asan_crash() { # images
    PERDURE_CRASH_POINTS=$1 run_ctest asan -L crash
}

test_guests() {
    if scripts/build_guests --check; then count 1 0; else count 0 1; return 1; fi
}

# The fixtures are what tests use; that sources still become components is shown on the samples.
test_samples() {
    local samples name
    read -ra samples <<<"$(list_samples)"
    mkdir -p build/samples
    for name in "${samples[@]}"; do
        if PERDURE_COMPONENTIZE=$root/build/release/perdure-componentize scripts/build_guests --out build/samples "$name"; then
            count 1 0
        else
            count 0 1
        fi
    done
}

test_format() {
    if command_format --check; then count 1 0; else count 0 1; return 1; fi
}

test_conformance() {
    scripts/check_conformance --summary
}

build_fuzz_all() {
    local targets
    mapfile -t targets < <(list_fuzz_targets)
    build_fuzz "${targets[@]}"
}

test_fuzz_replay() { run_ctest fuzz -L fuzz-replay; }

test_fuzz() { # seconds for each target
    local targets bad=0
    mapfile -t targets < <(list_fuzz_targets)
    fuzz_targets "$1" "${targets[@]}" || bad=$(find build/fuzz/failed -type f | wc -l)
    count $((${#targets[@]} - bad)) "$bad"
    [ "$bad" = 0 ]
}

test_all() {
    local targets
    if step "build release" build_release; then
        step "tests of release (ctest)" test_release
        step "crash suite" test_crash "${DEV_CRASH_IMAGES:-10000}"
        step "tests of the engine (cargo)" test_cargo
        step "samples from source" test_samples
    fi
    step "format" test_format
    step "guests match their sources" test_guests
    step "conformance: what is covered" test_conformance
    if step "build asan (mock engine)" build_asan; then
        step "unit tests under asan" run_ctest asan -L unit
        step "crash suites under asan" test_asan_crash "${DEV_ASAN_CRASH_IMAGES:-100}"
    fi
    targets=$(list_fuzz_targets | wc -l)
    if [ "$targets" -gt 0 ] && step "build fuzz targets" build_fuzz_all; then
        step "fuzz corpora" test_fuzz_replay
        step "fuzz new inputs" test_fuzz $((fuzz_seconds / targets + 1))
    fi
}

command_test() {
    if [ "${1:-}" = --full ]; then
        shift
        command_full "$@"
        return
    fi
    [ $# = 0 ] || { echo "dev: usage: ./dev test [--full [PART]]" >&2; exit 2; }
    trap closing_line EXIT
    failed=1  # an end before the first step is a failure
    need_build "${packages_format[@]}" "${packages_fuzz[@]}" "${packages_guests_cpp[@]}" "${packages_guests_rust[@]}"
    failed=0
    set +e
    test_all
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
    exit $?
}
