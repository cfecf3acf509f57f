# shellcheck shell=bash
# `./dev test --full [PART]`: the long tests. Sourced by ./dev.
#
# Without a part all parts run that have not yet passed on exactly these files; a part that is named always runs. What
# passed is noted in ~/.cache/perdure/full, named by a hash of the tree.

# A part is listed only while the tree holds what it runs.
full_parts() {
    if ls tests/crash/*_test.cc >/dev/null 2>&1; then echo crash; fi
    if ls tests/functional/*kill*_test.cc >/dev/null 2>&1; then echo kills; fi
    if ls tests/functional/*flip*_test.cc >/dev/null 2>&1; then echo flips; fi
    if [ -n "$(list_fuzz_targets)" ]; then echo fuzz; fi
    if [ -x scripts/build_guests ]; then echo guests; fi
    echo engine-asan
    echo tsan
    if [ -f .clang-tidy ]; then echo tidy; fi
    if ls tests/soak/*_test.cc >/dev/null 2>&1; then echo soak; fi
    if has_benches; then echo benches; fi
}

# What a part needs beside what the build needs.
part_packages() { # part
    case $1 in
        fuzz) echo "${packages_fuzz[*]}" ;;
        guests) echo "${packages_guests_cpp[*]} ${packages_guests_rust[*]}" ;;
        tidy) echo "${packages_tidy[*]}" ;;
        benches) echo "${packages_bench[*]}" ;;
    esac
}

tree_hash() {
    git ls-files -co --exclude-standard -z | LC_ALL=C sort -zu | xargs -0 sha256sum 2>/dev/null | sha256sum | cut -c1-16
}

full_crash() { build_release && test_crash 30000; }
full_kills() { build_release && PERDURE_KILLS=200 run_ctest release -R kill; }
full_flips() { build_release && PERDURE_FLIPS=1000000 run_ctest release -R bit_flip; }
full_soak() { build_release && PERDURE_SOAK_SECONDS=600 run_ctest release -L soak && show_output_of release soak; }

full_fuzz() { build_fuzz_all && test_fuzz_replay && test_fuzz "${DEV_FUZZ_SECONDS_EACH:-60}"; }

# Every guest from source, into a folder of its own; the fixtures stay as they are.
full_guests() {
    local out=$cache/full-guests
    rm -rf "$out"
    need_componentize && scripts/build_guests --force --out "$out" && count "$(ls "$out" | wc -l)" 0
}

# The real engine: its own tests, and the kernel's scenarios on real components. Compiles Wasmtime a second time. Without
# the figures: what an instrumented program takes says nothing about the one that is used.
full_engine-asan() {
    build_preset engine-asan engine_test conformance_kernel_test conformance_many_processes_test &&
        GTEST_FILTER='-Figures.*' run_ctest engine-asan -R '^(engine|conformance_kernel|conformance_many_processes)_test$'
}

full_tsan() {
    local targets
    configure tsan || return 1
    mapfile -t targets < <(ctest --test-dir build/tsan -N -L unit | sed -n 's/^ *Test *#[0-9]*: //p')
    build_preset tsan "${targets[@]}" && run_ctest tsan -L unit
}

full_tidy() {
    local files bad
    configure tidy || return 1
    mapfile -t files < <(own_sources build/tidy/compile_commands.json)
    mkdir -p build/tidy/logs
    rm -f build/tidy/logs/*
    printf '%s\n' "${files[@]}" | xargs -P "$jobs" -I{} bash -c '
        log=build/tidy/logs/$(echo "{}" | tr / _).log
        if clang-tidy-19 -p build/tidy --quiet "{}" >"$log" 2>/dev/null; then rm -f "$log"; else cat "$log"; fi'
    bad=$(find build/tidy/logs -type f | wc -l)
    count $((${#files[@]} - bad)) "$bad"
    [ "$bad" = 0 ]
}

# Our own sources in compile_commands.json, without tests: the promise is about what ships, and a file of coroutine tests
# takes the analyzer minutes.
own_sources() { # compile_commands.json
    sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$1" | sed "s|^$root/||" | grep '^src/' | grep -v '_test\.cc$' | sort -u
}

full_benches() { command_bench && count 1 0; }

command_full() { # [part]
    local part stamp parts packages
    mapfile -t parts < <(full_parts)
    if [ $# -gt 0 ]; then
        printf '%s\n' "${parts[@]}" | grep -qx "$1" ||
            { echo "dev: there is no part $1; parts: ${parts[*]}" >&2; exit 2; }
        parts=("$1")
    fi
    trap closing_line EXIT
    failed=1
    read -ra packages <<<"$(for part in "${parts[@]}"; do part_packages "$part"; done | tr '\n' ' ')"
    need_build "${packages[@]}"
    failed=0
    mkdir -p "$cache/full"
    set +e
    for part in "${parts[@]}"; do
        stamp=$cache/full/$(tree_hash)-$part
        if [ $# = 0 ] && [ -f "$stamp" ]; then
            read -r before <"$stamp"
            echo "=== $part: passed on these files before ($before cases)"
            count "$before" 0
            continue
        fi
        local passed_before=$passed
        if step "$part" "full_$part"; then
            echo $((passed - passed_before)) >"$stamp"
        fi
    done
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
    exit $?
}
