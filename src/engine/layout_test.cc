/// The Rust side's idea of kwe.h against the compiler's (E-1): sizes and offsets of every struct,
/// in the header's order.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/kwe.h"

namespace {

using Entry = std::pair<std::string, std::uint32_t>;

#define SIZE(type)                                      \
    Entry {                                             \
        #type, static_cast<std::uint32_t>(sizeof(type)) \
    }
#define FIELD(type, field)                                                  \
    Entry {                                                                 \
        #type "." #field, static_cast<std::uint32_t>(offsetof(type, field)) \
    }

const std::vector<Entry> kLayout = {
    SIZE(kwe_slice),
    FIELD(kwe_slice, ptr),
    FIELD(kwe_slice, len),
    SIZE(kwe_procid),
    FIELD(kwe_procid, process),
    FIELD(kwe_procid, package),
    FIELD(kwe_procid, publisher),
    SIZE(kwe_address),
    FIELD(kwe_address, node),
    FIELD(kwe_address, id),
    SIZE(kwe_cap),
    FIELD(kwe_cap, issuer),
    FIELD(kwe_cap, params),
    SIZE(kwe_blob),
    FIELD(kwe_blob, bytes),
    FIELD(kwe_blob, mime),
    FIELD(kwe_blob, present),
    FIELD(kwe_blob, has_mime),
    SIZE(kwe_request),
    FIELD(kwe_request, body),
    FIELD(kwe_request, metadata),
    FIELD(kwe_request, caps),
    FIELD(kwe_request, ncaps),
    FIELD(kwe_request, expects_response),
    FIELD(kwe_request, inherit),
    FIELD(kwe_request, has_expects),
    FIELD(kwe_request, has_metadata),
    SIZE(kwe_response),
    FIELD(kwe_response, body),
    FIELD(kwe_response, metadata),
    FIELD(kwe_response, caps),
    FIELD(kwe_response, ncaps),
    FIELD(kwe_response, inherit),
    FIELD(kwe_response, has_metadata),
    SIZE(kwe_message),
    FIELD(kwe_message, is_response),
    FIELD(kwe_message, has_context),
    FIELD(kwe_message, request),
    FIELD(kwe_message, response),
    FIELD(kwe_message, context),
    SIZE(kwe_recv),
    FIELD(kwe_recv, is_error),
    FIELD(kwe_recv, error_kind),
    FIELD(kwe_recv, has_context),
    FIELD(kwe_recv, peer),
    FIELD(kwe_recv, message),
    FIELD(kwe_recv, blob),
    FIELD(kwe_recv, context),
    SIZE(kwe_send),
    FIELD(kwe_send, target),
    FIELD(kwe_send, request),
    FIELD(kwe_send, blob),
    FIELD(kwe_send, context),
    FIELD(kwe_send, has_context),
    SIZE(kwe_on_exit),
    FIELD(kwe_on_exit, kind),
    FIELD(kwe_on_exit, sends),
    FIELD(kwe_on_exit, nsends),
    SIZE(kwe_grant),
    FIELD(kwe_grant, to),
    FIELD(kwe_grant, params),
    FIELD(kwe_grant, has_params),
    SIZE(kwe_spawn),
    FIELD(kwe_spawn, name),
    FIELD(kwe_spawn, has_name),
    FIELD(kwe_spawn, is_public),
    FIELD(kwe_spawn, wasm_path),
    FIELD(kwe_spawn, on_exit),
    FIELD(kwe_spawn, request_caps),
    FIELD(kwe_spawn, nrequest),
    FIELD(kwe_spawn, grants),
    FIELD(kwe_spawn, ngrants),
    SIZE(kwe_engine_config),
    FIELD(kwe_engine_config, struct_size),
    FIELD(kwe_engine_config, mode),
    FIELD(kwe_engine_config, max_processes),
    FIELD(kwe_engine_config, slice_ticks),
    FIELD(kwe_engine_config, compile_threads),
    FIELD(kwe_engine_config, warm_slots),
    FIELD(kwe_engine_config, max_memory_bytes),
    FIELD(kwe_engine_config, wasm_stack_bytes),
    FIELD(kwe_engine_config, host_stack_bytes),
    FIELD(kwe_engine_config, warm_bytes),
    FIELD(kwe_engine_config, hostcall_bytes),
    FIELD(kwe_engine_config, no_cow),
    FIELD(kwe_engine_config, no_epochs),
    FIELD(kwe_engine_config, cache_dir),
    FIELD(kwe_engine_config, cache_key),
    SIZE(kwe_stats),
    FIELD(kwe_stats, struct_size),
    FIELD(kwe_stats, max_processes),
    FIELD(kwe_stats, processes),
    FIELD(kwe_stats, instances),
    FIELD(kwe_stats, memories),
    FIELD(kwe_stats, stacks),
    FIELD(kwe_stats, components),
    FIELD(kwe_stats, warm_memories),
    FIELD(kwe_stats, memory_hits_total),
    FIELD(kwe_stats, disk_hits_total),
    FIELD(kwe_stats, compiles_total),
    FIELD(kwe_stats, cache_rejects_total),
    SIZE(kwe_component_info),
    FIELD(kwe_component_info, struct_size),
    FIELD(kwe_component_info, standard),
    FIELD(kwe_component_info, image_bytes),
    SIZE(kwe_limits),
    FIELD(kwe_limits, struct_size),
    FIELD(kwe_limits, table_elements),
    FIELD(kwe_limits, memory_bytes),
    FIELD(kwe_limits, clock_resolution_ns),
    SIZE(kwe_frame),
    FIELD(kwe_frame, module),
    FIELD(kwe_frame, function),
    FIELD(kwe_frame, func_index),
    FIELD(kwe_frame, func_offset),
    FIELD(kwe_frame, module_offset),
    SIZE(kwe_exit),
    FIELD(kwe_exit, kind),
    FIELD(kwe_exit, code),
    FIELD(kwe_exit, text),
    FIELD(kwe_exit, frames),
    FIELD(kwe_exit, nframes),
    SIZE(kwe_usage),
    FIELD(kwe_usage, struct_size),
    FIELD(kwe_usage, memory_bytes),
    SIZE(kwe_host),
    FIELD(kwe_host, struct_size),
    FIELD(kwe_host, abi),
    FIELD(kwe_host, env),
    FIELD(kwe_host, wake),
    FIELD(kwe_host, log),
    FIELD(kwe_host, on_tick),
    FIELD(kwe_host, fault_text),
    FIELD(kwe_host, print),
    FIELD(kwe_host, our),
    FIELD(kwe_host, get_on_exit),
    FIELD(kwe_host, set_on_exit),
    FIELD(kwe_host, has_blob),
    FIELD(kwe_host, send_requests),
    FIELD(kwe_host, send_response),
    FIELD(kwe_host, receive),
    FIELD(kwe_host, send_and_await),
    FIELD(kwe_host, get_blob),
    FIELD(kwe_host, get_state),
    FIELD(kwe_host, set_state),
    FIELD(kwe_host, clear_state),
    FIELD(kwe_host, spawn),
    FIELD(kwe_host, change_caps),
    FIELD(kwe_host, our_caps),
    FIELD(kwe_host, output),
    FIELD(kwe_host, random),
    FIELD(kwe_host, monotonic),
    FIELD(kwe_host, wall),
    FIELD(kwe_host, sleep_until),
};

TEST(Layout, E1_OfEveryStructAgreesOnBothSides) {
    std::uint32_t value = 0;
    for (std::uint32_t index = 0; index < kLayout.size(); ++index) {
        ASSERT_EQ(kwe_abi_layout(index, &value), 1) << kLayout[index].first;
        EXPECT_EQ(value, kLayout[index].second) << kLayout[index].first;
    }
    EXPECT_EQ(kwe_abi_layout(static_cast<std::uint32_t>(kLayout.size()), &value), 0)
        << "both know the same fields";
}

TEST(Layout, VersionsAgree) {
    EXPECT_EQ(kwe_abi_version(), KWE_ABI);
}

}  // namespace
