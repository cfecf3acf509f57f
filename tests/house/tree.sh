#!/usr/bin/env bash
# The shape of the tree: no file of more than 800 lines, a README.md in every room, a test beside every module that has
# one, one header guard.
#
# usage: tests/house/tree.sh [FOLDER]    prints a line for every breach; status 1 if any
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"
bad=0
refuse() { echo "$*"; bad=1; }

own_files() {
    find src tests fuzz bench sdk guests samples scripts dev cmake -type f 2>/dev/null |
        grep -E '\.(h|cc|cpp|rs|sh|cmake)$|CMakeLists\.txt$|^scripts/|^dev$' |
        grep -v -E '/target/|^sdk/cpp/glue/|\.wasm$' | LC_ALL=C sort
}

while read -r lines file; do
    if [ "$file" != total ] && [ "$lines" -gt 800 ]; then
        refuse "$file: $lines lines; at 800 lines a file is two files"
    fi
done < <(own_files | xargs wc -l)

for room in src/*/; do
    readme=${room}README.md
    [ -f "$readme" ] || { refuse "$readme is missing: purpose, key types, where to look, what it must never do"; continue; }
    lines=$(wc -l <"$readme")
    [ "$lines" -le 60 ] || refuse "$readme: $lines lines; a room's page is one screen, at most 60"
    grep -qi 'must never' "$readme" || refuse "$readme does not say what the room must never do"
done

while read -r header; do
    case $header in
        src/engine/kwe.h) ;;  # read by C as well: an include guard
        *) grep -q '^#pragma once$' "$header" || refuse "$header: write #pragma once" ;;
    esac
done < <(find src -name '*.h' -not -path '*/target/*')

while read -r folder; do
    refuse "$folder: say what it holds; nothing is called utils, misc or common"
done < <(find src -regextype posix-extended -regex '.*/(utils?|misc|common|helpers?)(\.(h|cc|rs))?' -not -path '*/target/*')

exit $bad
