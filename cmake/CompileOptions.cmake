# Warnings are errors; paths in binaries are relative to the source tree, so that two clones share one compiler cache.
add_compile_options(-Wall -Wextra -Werror -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-restrict)  # g++ 12 warns wrongly about "k" + std::to_string(i) at -O3.
endif()
# Host callbacks run on fiber stacks with one guard page: a large frame must touch it, not step over it.
add_compile_options(-fstack-clash-protection)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=mold)
else()
    # The thread annotations of Guarded are checked by clang only.
    add_compile_options(-Wno-unused-command-line-argument)
    # libstdc++ 12 itself uses what it deprecates (std::stable_sort).
    add_compile_options(-Wno-deprecated-declarations)
    add_link_options(-fuse-ld=mold)
endif()

find_program(CCACHE ccache)
if(CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

set(PERDURE_SANITIZE "" CACHE STRING "address,undefined or thread")
if(PERDURE_SANITIZE)
    add_compile_options(-fsanitize=${PERDURE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${PERDURE_SANITIZE})
endif()
option(PERDURE_COVERAGE "gcov counters" OFF)
if(PERDURE_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()
