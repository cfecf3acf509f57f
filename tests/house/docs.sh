#!/usr/bin/env bash
# Documents name files that exist: every path in backquotes that begins with a folder of the tree, and every relative link.
#
# usage: tests/house/docs.sh [FOLDER]    prints a line for every breach; status 1 if any
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"
bad=0

while IFS=: read -r document path; do
    path=${path//'`'/}
    path=${path%% *}
    # A pattern stands for at least one file.
    if ! compgen -G "$path" >/dev/null; then
        echo "$document: names $path, which does not exist; say what is there now"
        bad=1
    fi
done < <(find . -name '*.md' -not -path './.git/*' -not -path './build/*' -not -path '*/target/*' -print0 |
    xargs -0 grep -oHE '`(src|tests|docs|scripts|samples|wit|guests|sdk|fuzz|cmake)/[^` …]*[`…]' |
    grep -v '…$' | sed 's|^\./||' | LC_ALL=C sort -u)

while IFS=: read -r document link; do
    link=${link#*](}
    link=${link%%[)#]*}
    case $link in '' | http*) continue ;; esac
    if [ ! -e "$(dirname "$document")/$link" ]; then
        echo "$document: links to $link, which does not exist"
        bad=1
    fi
done < <(find . -name '*.md' -not -path './.git/*' -not -path './build/*' -not -path '*/target/*' -print0 |
    xargs -0 grep -oHE '\]\([^) ]+\)' | sed 's|^\./||' | LC_ALL=C sort -u)

exit $bad
