#!/usr/bin/env bash
# Words: one word, one meaning. Checks what a machine can tell: identifiers that use a word of another vocabulary, to-dos
# without their kind, paths of somebody's machine, names of package registries, commented-out tests.
#
# usage: tests/house/words.sh [FOLDER]    prints a line for every breach; status 1 if any
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"
bad=0

everything() { # names of all text files
    find . -type f -not -path './.git/*' -not -path './build/*' -not -path '*/target/*' -not -name '*.wasm' \
        -not -name '*.o' -not -name 'Cargo.lock' -not -path './fuzz/corpus/*' -print0
}
refuse_matches() { # advice extended-pattern < list of files
    local found
    found=$(xargs -0 grep -nHIE -- "$2" || true)
    if [ -n "$found" ]; then
        while read -r line; do echo "${line#./}    <- $1"; done <<<"$found"
        bad=1
    fi
}

# The brackets keep this file from finding itself.
refuse_matches 'a path of one machine; use a relative path or a variable' '(^|[^a-zA-Z0-9_.])/(wor[k]|roo[t]|Use[r]s)/' < <(everything)
refuse_matches 'name the package, not the registry' \
    '(crates\.i[o]|pypi\.or[g]|registry\.npm[j]s|npmjs\.co[m]|proxy\.golan[g]|deb\.debia[n]|maven\.or[g])' < <(everything)
refuse_matches 'write it with its kind, (perf), (safety) or (later), and what is to be done' \
    '(^|[^A-Za-z_])TOD[O]($|[^A-Za-z_(]|\((perf|safety|later)\)[^:]|\([^psl])' < <(everything)

# word in an identifier : what we call it (CONTRIBUTING.md)
words=(
    'actor:process' 'inbox:mailbox' 'rsvp:reply address' 'payload:body or blob' 'attachment:blob'
    'plugin:runtime module' 'flusher:committer' 'nack:refusal' 'bounce:send error'
)
for word in "${words[@]}"; do
    name=${word%%:*}
    found=$({ everything | grep -zE '^\./(src|fuzz|tests|bench)/.*\.(h|cc)$' || true; } |
        xargs -0 --no-run-if-empty awk -v word="$name" -v Word="${name^}" '
            {
                code = $0
                gsub(/"([^"\\]|\\.)*"/, "", code)
                sub(/\/\/.*/, "", code)
                # as a whole part of an identifier, in any of our three spellings
                if (code ~ "(^|[^A-Za-z0-9])" word "s?($|[^a-z0-9])" || code ~ "(^|[^A-Z])" Word "s?($|[^a-z])")
                    print FILENAME ":" FNR ": " $0
            }')
    if [ -n "$found" ]; then
        while read -r line; do echo "$line    <- say ${word#*:}"; done <<<"$found"
        bad=1
    fi
done

refuse_matches 'remove it, or say with GTEST_SKIP why it cannot run here' '^[[:space:]]*//[[:space:]]*TES[T](_[FP])?\(' < <(everything)

exit $bad
