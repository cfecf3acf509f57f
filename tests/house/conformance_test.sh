#!/usr/bin/env bash
# The comparison of docs/conformance.md with the tests notices what it has to: on a copy of both, with one change each.
set -euo pipefail
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0

copy() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree"
    cd "$tree"
    find scripts/check_conformance docs/conformance.md src tests sdk \( -path '*/target/*' -prune \) -o \
        \( -name check_conformance -o -name conformance.md -o -name '*_test.cc' -o -path '*/kwe/tests/*.rs' \) -print0 |
        xargs -0 cp --parents -t "$scratch/tree"
    cd "$scratch/tree"
}
in_tests() { # sed-expression : over every test
    find src tests \( -name '*_test.cc' -o -name '*.rs' \) -print0 | xargs -0 sed -i -E "$1"
}
expect() { # status text what
    local status=0 output
    output=$(scripts/check_conformance) || status=$?
    if [ "$status" != "$1" ] || [[ $output != *"$2"* ]]; then
        echo "check_conformance: $3: status $status, expected $1 and '$2'; it said: $output"
        bad=1
    fi
}

copy
expect 0 'promised and missing' 'the tree as it is was refused'

copy; in_tests 's/\bCK9_//'
expect 1 'CK9 names' 'a row whose tests are gone was not noticed'
scripts/check_conformance --write
expect 1 'CK9 is promised but no test carries it' 'a promised id without a test was not noticed'

copy; in_tests 's/\be10_(a_refusal_stands)/\1/'
expect 1 'E10 names crash.rs: e10_' 'one lost test of many was not noticed'

copy; echo 'TEST(Extra, CK9_IsCoveredOnceMore) {}' >>src/base/extra_test.cc
expect 1 'there are more tests now of CK9;' 'one more test of many was not noticed'

copy; echo 'TEST(Extra, CK179_IsCovered) {}' >>src/base/extra_test.cc
expect 1 "CK179 has a test now; take it out of 'exceptions'" 'an exception that is none was not noticed'

copy; echo 'TEST(Extra, CK9999_HasNoRow) {}' >>src/base/extra_test.cc
expect 1 'CK9999 has a test but no row' 'a test without a row was not noticed'

copy; sed -i '/^| CK9 /d' docs/conformance.md
expect 1 'CK9 is promised but has no row' 'a missing row was not noticed'

exit $bad
