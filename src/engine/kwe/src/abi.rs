//! The structs of `kwe.h`, field by field. `LAYOUT` lets the C++ side prove that both descriptions
//! agree (E-1).

use std::ffi::{c_int, c_void};
use std::mem::{offset_of, size_of};

pub const ABI: u32 = 1;

pub const READY: c_int = 0;
pub const PENDING: c_int = 1;

pub const TICK_CONTINUE: c_int = 0;
pub const TICK_YIELD: c_int = 1;
pub const TICK_KILL: c_int = 2;

pub const LOG_ERROR: c_int = 0;
pub const LOG_WARN: c_int = 1;
pub const LOG_INFO: c_int = 2;

pub const OK: c_int = 0;
pub const E_INVALID: c_int = 1;
pub const E_WASM: c_int = 2;
pub const E_IMPORT: c_int = 3;
pub const E_LIMIT: c_int = 5;
pub const E_OS: c_int = 6;
pub const E_PANIC: c_int = 7;

pub const MODE_FAST: u32 = 1;
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;

pub const STANDARD_KINODE_0_7: u32 = 1;
pub const STANDARD_KINODE_0_8: u32 = 2;
pub const STANDARD_KINODE_1_0: u32 = 4;
pub const STANDARD_HYPERWARE_1_0: u32 = 8;

pub const EXIT_RETURNED: i32 = 0;
pub const EXIT_EXITED: i32 = 1;
pub const EXIT_TRAPPED: i32 = 2;
pub const EXIT_FAULTED: i32 = 3;
pub const EXIT_KILLED: i32 = 4;
pub const EXIT_MEMORY_LIMIT: i32 = 5;
pub const EXIT_START_FAILED: i32 = 6;
pub const EXIT_PANICKED: i32 = 7;

pub const P_BLOCKED: c_int = 0;
pub const P_YIELDED: c_int = 1;
pub const P_DONE: c_int = 2;

pub const SPAWN_OK: c_int = 0;
pub const SPAWN_NAME_TAKEN: c_int = 1;

pub const PANIC_IN_POLL: c_int = 1;
pub const PANIC_IN_CALLBACK: c_int = 2;
pub const PANIC_IN_TICK: c_int = 3;

/// What the host puts behind a process.
pub type Ctx = *mut c_void;

/// Defines structs of plain data with C layout, an all-zero default, and their part of the layout
/// table.
macro_rules! plain {
    ($table:ident: $(struct $name:ident { $($field:ident: $ty:ty),* $(,)? })*) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy)]
            #[allow(non_camel_case_types)]
            pub struct $name { $(pub $field: $ty),* }

            impl Default for $name {
                fn default() -> Self {
                    // SAFETY: integers, pointers and structs of them; all-zero is a value of each.
                    unsafe { std::mem::zeroed() }
                }
            }
        )*
        pub const $table: &[u32] = &[$(
            size_of::<$name>() as u32, $(offset_of!($name, $field) as u32,)*
        )*];
    };
}

plain! { DATA_LAYOUT:
    struct kwe_slice { ptr: *const u8, len: usize }
    struct kwe_procid { process: kwe_slice, package: kwe_slice, publisher: kwe_slice }
    struct kwe_address { node: kwe_slice, id: kwe_procid }
    struct kwe_cap { issuer: kwe_address, params: kwe_slice }
    struct kwe_blob { bytes: kwe_slice, mime: kwe_slice, present: u8, has_mime: u8 }
    struct kwe_request {
        body: kwe_slice, metadata: kwe_slice, caps: *const kwe_cap, ncaps: usize,
        expects_response: u64, inherit: u8, has_expects: u8, has_metadata: u8,
    }
    struct kwe_response {
        body: kwe_slice, metadata: kwe_slice, caps: *const kwe_cap, ncaps: usize,
        inherit: u8, has_metadata: u8,
    }
    struct kwe_message {
        is_response: u8, has_context: u8,
        request: kwe_request, response: kwe_response, context: kwe_slice,
    }
    struct kwe_recv {
        is_error: u8, error_kind: u8, has_context: u8,
        peer: kwe_address, message: kwe_message, blob: kwe_blob, context: kwe_slice,
    }
    struct kwe_send {
        target: kwe_address, request: kwe_request, blob: kwe_blob, context: kwe_slice,
        has_context: u8,
    }
    struct kwe_on_exit { kind: u8, sends: *const kwe_send, nsends: usize }
    struct kwe_grant { to: kwe_procid, params: kwe_slice, has_params: u8 }
    struct kwe_spawn {
        name: kwe_slice, has_name: u8, is_public: u8, wasm_path: kwe_slice, on_exit: kwe_on_exit,
        request_caps: *const kwe_cap, nrequest: usize, grants: *const kwe_grant, ngrants: usize,
    }
    struct kwe_engine_config {
        struct_size: u32, mode: u32,
        max_processes: u32, slice_ticks: u32, compile_threads: u32, warm_slots: u32,
        max_memory_bytes: u64, wasm_stack_bytes: u64, host_stack_bytes: u64, warm_bytes: u64,
        hostcall_bytes: u64, no_cow: u8, no_epochs: u8, cache_dir: kwe_slice,
        cache_key: kwe_slice,
    }
    struct kwe_stats {
        struct_size: u32, max_processes: u32,
        processes: u64, instances: u64, memories: u64, stacks: u64, components: u64,
        warm_memories: u64, memory_hits_total: u64, disk_hits_total: u64, compiles_total: u64,
        cache_rejects_total: u64,
    }
    struct kwe_component_info { struct_size: u32, standard: u32, image_bytes: u64 }
    struct kwe_limits {
        struct_size: u32, table_elements: u32, memory_bytes: u64, clock_resolution_ns: u64,
    }
    struct kwe_frame {
        module: kwe_slice, function: kwe_slice,
        func_index: u32, func_offset: u64, module_offset: u64,
    }
    struct kwe_exit {
        kind: i32, code: i32, text: kwe_slice, frames: *const kwe_frame, nframes: usize,
    }
    struct kwe_usage { struct_size: u32, memory_bytes: u64 }
}

/// Defines the callback table and its part of the layout table.
macro_rules! callbacks {
    ($($field:ident: fn($($arg:ty),*) $(-> $ret:ty)?),* $(,)?) => {
        /// The host's callbacks. The pointers are non-null: `kwe_engine_new` has looked.
        #[repr(C)]
        #[derive(Clone, Copy)]
        #[allow(non_camel_case_types)]
        pub struct kwe_host {
            pub struct_size: u32,
            pub abi: u32,
            pub env: *mut c_void,
            $(pub $field: unsafe extern "C" fn($($arg),*) $(-> $ret)?),*
        }
        const HOST_LAYOUT: &[u32] = &[
            size_of::<kwe_host>() as u32,
            offset_of!(kwe_host, struct_size) as u32,
            offset_of!(kwe_host, abi) as u32,
            offset_of!(kwe_host, env) as u32,
            $(offset_of!(kwe_host, $field) as u32),*
        ];
    };
}

callbacks! {
    wake: fn(*mut c_void, u64),
    log: fn(*mut c_void, c_int, kwe_slice),
    on_tick: fn(Ctx) -> c_int,
    fault_text: fn(Ctx) -> kwe_slice,
    print: fn(Ctx, u8, kwe_slice) -> c_int,
    our: fn(Ctx, *mut kwe_address) -> c_int,
    get_on_exit: fn(Ctx, *mut kwe_on_exit) -> c_int,
    set_on_exit: fn(Ctx, *const kwe_on_exit) -> c_int,
    has_blob: fn(Ctx, *mut c_int) -> c_int,
    send_requests: fn(Ctx, *const kwe_send, usize) -> c_int,
    send_response: fn(Ctx, *const kwe_response, *const kwe_blob) -> c_int,
    receive: fn(Ctx, c_int, *mut kwe_recv) -> c_int,
    send_and_await: fn(Ctx, c_int, *const kwe_send, *mut kwe_recv) -> c_int,
    get_blob: fn(Ctx, c_int, c_int, *mut kwe_blob) -> c_int,
    get_state: fn(Ctx, c_int, *mut kwe_slice, *mut c_int) -> c_int,
    set_state: fn(Ctx, c_int, *const kwe_slice) -> c_int,
    clear_state: fn(Ctx, c_int) -> c_int,
    spawn: fn(Ctx, c_int, *const kwe_spawn, *mut kwe_procid, *mut c_int) -> c_int,
    change_caps: fn(Ctx, c_int, c_int, *const kwe_cap, usize) -> c_int,
    our_caps: fn(Ctx, c_int, *mut *const kwe_cap, *mut usize) -> c_int,
    output: fn(Ctx, c_int, kwe_slice) -> c_int,
    random: fn(Ctx, *mut u8, usize, c_int) -> c_int,
    monotonic: fn(Ctx, *mut u64) -> c_int,
    wall: fn(Ctx, *mut u64, *mut u32) -> c_int,
    sleep_until: fn(Ctx, c_int, u64) -> c_int,
}

// SAFETY: `wake` and `log` may be called with `env` from any thread (kwe.h); the rest are
// functions.
unsafe impl Send for kwe_host {}
// SAFETY: as above; the table is never changed after it was copied.
unsafe impl Sync for kwe_host {}

/// Number `index` of the layout table: the data structs in the order of `kwe.h`, then `kwe_host`.
pub fn layout(index: u32) -> Option<u32> {
    let index = index as usize;
    DATA_LAYOUT.iter().chain(HOST_LAYOUT).nth(index).copied()
}

impl kwe_slice {
    /// A view of `bytes` for the other side. The caller keeps them alive for as long as the call's
    /// contract says.
    pub fn of(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes behind the view.
    ///
    /// # Safety
    /// They stay valid and unchanged for `'a`.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the caller's promise, and a view that is not empty is not null.
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }

    /// The text behind the view.
    ///
    /// # Safety As `bytes`; besides, it is UTF-8: text that reaches the node was checked on its way
    /// in (kwe.h).
    pub unsafe fn text<'a>(self) -> &'a str {
        // SAFETY: the caller's promise.
        unsafe { std::str::from_utf8_unchecked(self.bytes()) }
    }
}

/// The elements of an array given as pointer and number.
///
/// # Safety
/// They stay valid and unchanged for `'a`.
pub unsafe fn array<'a, T>(ptr: *const T, n: usize) -> &'a [T] {
    if n == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(ptr, n) }
}
