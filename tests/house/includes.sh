#!/usr/bin/env bash
# Who may include whom, and which room may see which library.
#
# usage: tests/house/includes.sh [FOLDER]    checks FOLDER/src and prints a line for every breach; status 1 if any
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

# room: rooms it may include besides itself
rooms=(
    'base:'
    'abi: base'
    'storage: base'
    'transport: base'
    'kernel: abi base'
    'engine: kernel abi base'
    'packages: kernel abi storage transport base'
    'modules: kernel abi storage transport base'
    'gateway: kernel abi storage transport base'
    'net: kernel abi storage transport base'
    'state: kernel abi storage transport base'
    'node: engine kernel abi storage transport base packages modules gateway net state'
    'cli: node abi transport base'
    'testing: engine kernel abi storage base'
)
# beginning of an include in angle brackets: the room it belongs to (docs/decisions says why)
libraries=(
    'fmt/:base'
    'sodium:base'
    'boost/json:abi'
    'boost/:transport'
    'openssl/:transport'
    'rocksdb/:storage'
    'sqlite3:storage'
    'yaml-cpp/:node'
    'spdlog/:node'
    'CLI/:cli'
)

{
    printf 'room %s\n' "${rooms[@]}"
    printf 'library %s\n' "${libraries[@]}"
    grep -rn --include='*.h' --include='*.cc' '^[[:space:]]*#[[:space:]]*include' src | grep -v '/target/' || true
} | awk '
    function refuse(what) { print file ":" line ": " what; bad = 1 }

    $1 == "room" { name = substr($2, 1, length($2) - 1); known[name] = 1
                   for (i = 3; i <= NF; i++) may[name, $i] = 1; next }
    $1 == "library" { split($2, pair, ":"); owner[++count] = pair[2]; begin[count] = pair[1]; next }

    {
        split($0, field, ":"); file = field[1]; line = field[2]
        split(file, part, "/"); room = part[2]
        if (!(room in known)) {
            if (!(room in told)) refuse("src/" room " is no room; add it to tests/house/includes.sh and ARCHITECTURE.md")
            told[room] = 1
            next
        }
        is_test = file ~ /_test\.cc$|_for_test\.(h|cc)$/
        if (match($0, /"[^"]+"/)) {
            target = substr($0, RSTART + 1, RLENGTH - 2)
            if (target !~ /\//) { refuse("includes \"" target "\"; write the path from src/"); next }
            split(target, step, "/"); other = step[1]
            if (other == room) {
                # Runtime modules reach each other by messages only.
                if (room == "modules" && step[2] != part[3] && step[3] != "" && part[4] != "")
                    refuse("modules/" part[3] " includes modules/" step[2] "; modules talk by messages")
            } else if (!(other in known)) {
                refuse("includes \"" target "\", which is in no room; write the path from src/")
            } else if (is_test && (other == "testing" || other == "engine" && room ~ /^(kernel|modules|testing)$/)) {
                # Unit tests may use the fakes, and the mock engine where the kernel runs.
            } else if (other == "testing") {
                refuse("includes \"" target "\"; src/testing is for tests, benches and fuzzers only")
            } else if (!((room, other) in may)) {
                refuse(room " may not include " other "; declare an interface in " room " and let node join them")
            }
        } else if (match($0, /<[^>]+>/)) {
            target = substr($0, RSTART + 1, RLENGTH - 2)
            for (i = 1; i <= count; i++) {
                if (index(target, begin[i]) != 1) continue
                if (owner[i] != room)
                    refuse("includes <" target ">, which belongs to " owner[i] "; use what src/" owner[i] " offers")
                break
            }
            if (target ~ /^(gtest|gmock|rapidcheck)/ && !is_test && room != "testing")
                refuse("includes <" target ">; only *_test.cc, *_for_test.h and src/testing may")
        }
    }
    END { exit bad }
'
