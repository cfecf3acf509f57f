#!/usr/bin/env bash
# scripts/kwe_cargo: sources of another checkout than the last one count as new, unless they are the same.
set -euo pipefail
script=$PWD/scripts/kwe_cargo
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export CARGO_TARGET_DIR=$folder/target

for checkout in one same other; do
    mkdir -p "$folder/$checkout/scripts" "$folder/$checkout/src/engine/kwe/src"
    cp "$script" "$folder/$checkout/scripts/"
    echo "// $checkout" | sed 's/same/one/' >"$folder/$checkout/src/engine/kwe/src/lib.rs"
done

# Whether a build from this checkout sees new sources, when all of them are old to begin with.
expect() { # checkout old|new
    local source=$folder/$1/src/engine/kwe/src/lib.rs seen=old
    touch -d '2001-01-01' "$source"
    (cd "$folder/$1" && scripts/kwe_cargo release "" true)
    [ "$(date -r "$source" +%Y)" = 2001 ] || seen=new
    [ "$seen" = "$2" ] || { echo "kwe_cargo: the sources of $1 are $seen, not $2"; exit 1; }
}
expect one new
expect one old
expect same old
expect other new
expect one new
(cd "$folder/other" && ! scripts/kwe_cargo release "" false)
expect one new
mkdir -p "$CARGO_TARGET_DIR/release"
echo library >"$CARGO_TARGET_DIR/release/libkwe.a"
(cd "$folder/one" && scripts/kwe_cargo release "$folder/wanted.a" true)
[ "$(cat "$folder/wanted.a")" = library ] || { echo "kwe_cargo: the library is not where it was wanted"; exit 1; }
