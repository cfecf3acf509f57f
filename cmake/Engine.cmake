# The engine room: the Rust library behind kwe.h and the C++ around it, or the mock behind the same header.
set(KWE_PROFILE release CACHE STRING "cargo profile of libkwe.a: release; dist for benches and packages")
set(KWE_TARGET "$ENV{HOME}/.cache/perdure/cargo" CACHE PATH "one cargo target folder for all presets and checkouts")
set(KWE_LIB ${CMAKE_BINARY_DIR}/libkwe.a)
option(KWE_ASAN "libkwe.a for programs under AddressSanitizer; needs a KWE_TARGET of its own" OFF)

add_library(perdure_engine_mock STATIC ${CMAKE_SOURCE_DIR}/src/engine/engine.cc ${CMAKE_SOURCE_DIR}/src/engine/mock.cc)
target_link_libraries(perdure_engine_mock PUBLIC perdure_kernel)

# A whole kernel for tests, on whichever engine the program links; with scripts only on the mock.
add_library(perdure_kernel_world STATIC ${CMAKE_SOURCE_DIR}/src/testing/kernel_world.cc)
target_link_libraries(perdure_kernel_world PUBLIC perdure_testing)
add_library(perdure_scripted_world STATIC ${CMAKE_SOURCE_DIR}/src/testing/kernel_world_scripts.cc)
target_link_libraries(perdure_scripted_world PUBLIC perdure_kernel_world perdure_engine_mock)

if(KERNEL_WASM STREQUAL "ON")
    find_program(CARGO cargo REQUIRED)
    file(GLOB_RECURSE KWE_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/kwe/*.rs
         ${CMAKE_SOURCE_DIR}/src/engine/kwe/*.toml)
    set(environment --unset=RUSTFLAGS)
    # With the tests, so that `cargo test` finds everything built; linking those as dist takes minutes each.
    set(words build --workspace --all-targets)
    if(KWE_PROFILE STREQUAL "dist")
        set(words build --workspace --lib)
    endif()
    if(KWE_ASAN)
        # With the cfg, Wasmtime tells the sanitizer's runtime about every switch of stacks. What is instrumented is our own
        # crate, with what it instantiates of others; a stable compiler lets only that one crate do so.
        set(environment "RUSTFLAGS=--cfg asan" RUSTC_BOOTSTRAP=kwe)
        set(words rustc --lib)
        set(last_words -- -Zsanitizer=address)
    endif()
    add_custom_command(
        OUTPUT ${KWE_LIB}
        COMMAND ${CMAKE_COMMAND} -E env ${environment} CARGO_TARGET_DIR=${KWE_TARGET}
                ${CMAKE_SOURCE_DIR}/scripts/kwe_cargo ${KWE_PROFILE} ${KWE_LIB} ${CARGO} ${words} --locked
                --profile ${KWE_PROFILE} --manifest-path ${CMAKE_SOURCE_DIR}/src/engine/kwe/Cargo.toml ${last_words}
        DEPENDS ${KWE_SOURCES} ${CMAKE_SOURCE_DIR}/src/engine/kwe/Cargo.lock
        USES_TERMINAL VERBATIM)
    add_custom_target(kwe_build DEPENDS ${KWE_LIB})
    add_library(kwe INTERFACE)
    add_dependencies(kwe kwe_build)
    target_link_libraries(kwe INTERFACE ${KWE_LIB})

    perdure_room(engine LINKS perdure_kernel kwe EXCLUDE mock.cc mock_test.cc)
    add_dependencies(perdure_engine kwe_build)
    set(PERDURE_ENGINE_LIBRARY perdure_engine)
else()
    set(PERDURE_ENGINE_LIBRARY perdure_engine_mock)
endif()
