#!/usr/bin/env bash
# The rules notice breaches: each is committed once in a small tree, and has to be reported.
set -euo pipefail
house=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0

tree() { # a tree without a breach
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/src/"{base,abi,kernel,storage,modules/timer,modules/terminal}
    cd "$scratch/tree"
    printf '#pragma once\n#include <fmt/format.h>\n' >src/base/bytes.h
    printf '#pragma once\n#include "base/bytes.h"\n' >src/kernel/mailbox.h
    printf '#include "kernel/mailbox.h"\n#include "testing/manual_clock.h"\n#include <gtest/gtest.h>\n' >src/kernel/mailbox_test.cc
    cp src/kernel/mailbox_test.cc src/kernel/script_for_test.h
    sed -i '1i #pragma once' src/kernel/script_for_test.h
    local room
    for room in base abi kernel storage modules; do
        echo "Must never: anything." >src/$room/README.md
    done
}
expect() { # status script what
    local status=0 output
    output=$(bash "$house/$2" "$scratch/tree") || status=$?
    if [ "$status" != "$1" ] || { [ "$1" = 1 ] && [ -z "$output" ]; }; then
        echo "$2: $3: status $status, expected $1; it said: $output"
        bad=1
    fi
}
refuses() { expect 1 "$1" "$2 was not noticed"; }

tree
for script in includes tree words docs; do expect 0 $script.sh "a clean tree was refused"; done

tree; echo '#include "storage/log.h"' >>src/kernel/mailbox.h; refuses includes.sh 'kernel including storage'
tree; echo '#include "kernel/mailbox.h"' >>src/base/bytes.h; refuses includes.sh 'an upward include'
tree; echo '#include "testing/manual_clock.h"' >>src/kernel/mailbox.h; refuses includes.sh 'a fake in the product'
tree; echo '#include "bytes.h"' >>src/base/bytes.h; refuses includes.sh 'an include without its room'
tree; echo '#include <rocksdb/db.h>' >>src/kernel/mailbox.h; refuses includes.sh 'RocksDB in the kernel'
tree; echo '#include <boost/json.hpp>' >>src/storage/store.h; refuses includes.sh 'JSON in the storage room'
tree; echo '#include <gtest/gtest.h>' >>src/base/bytes.h; refuses includes.sh 'GoogleTest in the product'
tree; echo '#include "modules/terminal/terminal.h"' >src/modules/timer/timer.cc; refuses includes.sh 'a module including another'
tree; mkdir src/extra; echo '#include "base/bytes.h"' >src/extra/x.h; refuses includes.sh 'an unknown room'

tree; seq 801 >src/base/long.cc; refuses tree.sh 'a file of 801 lines'
tree; seq 800 >src/base/long.cc; expect 0 tree.sh 'a file of 800 lines was refused'
tree; rm src/abi/README.md; refuses tree.sh 'a room without a page'
tree; echo 'int x;' >src/base/x.h; refuses tree.sh 'a header without a guard'
tree; echo >src/base/utils.cc; refuses tree.sh 'a file called utils'

tree; echo '// TO''DO: later' >src/base/x.cc; refuses words.sh 'a bare to-do'
tree; echo '// TO''DO(perf): measure it' >src/base/x.cc; expect 0 words.sh 'a to-do with its kind was refused'
tree; echo 'see /ro''ot/x' >README.md; refuses words.sh 'a path of one machine'
tree; echo 'from crates''.io' >README.md; refuses words.sh 'the name of a registry'
tree; echo 'int message_payload = 0;' >src/base/x.cc; refuses words.sh 'a word of another vocabulary'
tree; echo 'class ActorTable;' >src/base/x.cc; refuses words.sh 'a type named so'
tree; echo 'int factory = 0;  // like an actor' >src/base/x.cc; expect 0 words.sh 'another word, or a comment, was refused'

tree; echo 'see `src/base/gone.h`' >README.md; refuses docs.sh 'a file that does not exist'
tree; echo 'see [it](docs/gone.md)' >README.md; refuses docs.sh 'a link to nothing'
tree; echo 'see `src/base/bytes.h` and `src/*/README.md`' >README.md; expect 0 docs.sh 'files that exist were refused'

exit $bad
