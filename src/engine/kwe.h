#ifndef PERDURE_ENGINE_KWE_H
#define PERDURE_ENGINE_KWE_H

/// The C border between the node (C++) and the Wasm engine (Rust, `kwe/`); E-1.
///
/// The library owns engines, compiled code, instances and their stacks, the canonical ABI and a
/// minimal WASI. It decides nothing: it has no messages, no state, no scheduler and no
/// capabilities. What a guest asks for arrives in the table `kwe_host`; a guest that has to wait is
/// a suspended stack inside a `kwe_process`, which `kwe_process_poll` runs on. The same header is
/// implemented by `mock.cc`, without Wasm and without Rust.
///
/// Conventions
///
/// * Nothing unwinds across the border, in either direction (E-17). A panic inside ends as
///   `KWE_E_PANIC` or as an exit of kind `KWE_EXIT_PANICKED`.
/// * Structs that may grow start with `struct_size`, which the caller sets; what lies behind it
///   counts as zero.
/// * Strings are UTF-8 without a terminating NUL. Strings coming from guests are already
///   checked; strings going to guests are trusted.
/// * Pointers given to a callback are valid until it returns: most point into the guest's
///   memory.
/// * Pointers returned by a callback stay valid and unchanged until the next callback of the
///   groups `standard` or WASI begins for the same `ctx`, or until `kwe_process_delete` has
///   returned (E-6). `on_tick`, `wake`, `log` and `fault_text` do not count: a result may still
///   be on its way into the guest while `on_tick` runs.
/// * Callbacks run on the guest's stack: at most `host_stack_bytes`, no waiting, no exceptions,
///   no `longjmp`, no call of a `kwe_process_` function for the same process (except
///   `kwe_process_kill`), no address of a `thread_local` kept over the call.
/// * All callbacks of one `ctx` are strictly serial; the thread may change between two of them.
/// * Functions that can fail return `KWE_OK` or a `KWE_E_` code and fill `kwe_error**` unless
///   it is NULL.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Raised whenever this header changes in a way that breaks callers.
#define KWE_ABI 1u

typedef struct kwe_engine kwe_engine;
typedef struct kwe_component kwe_component;
typedef struct kwe_process kwe_process;
typedef struct kwe_error kwe_error;

/// Bytes that somebody else owns. `ptr` may be NULL when `len` is 0.
typedef struct {
    const uint8_t* ptr;
    size_t len;
} kwe_slice;

// ---- values of the `standard` interfaces (K-217)

typedef struct {
    kwe_slice process, package, publisher;
} kwe_procid;

typedef struct {
    kwe_slice node;
    kwe_procid id;
} kwe_address;

typedef struct {
    kwe_address issuer;
    kwe_slice params;
} kwe_cap;

/// A blob, or none if `present` is 0. "No mime" (`has_mime` 0) and an empty mime differ (K-46).
typedef struct {
    kwe_slice bytes, mime;
    uint8_t present, has_mime;
} kwe_blob;

typedef struct {
    kwe_slice body, metadata;
    const kwe_cap* caps;
    size_t ncaps;
    uint64_t expects_response;  ///< Seconds, if `has_expects`.
    uint8_t inherit, has_expects, has_metadata;
} kwe_request;

typedef struct {
    kwe_slice body, metadata;
    const kwe_cap* caps;
    size_t ncaps;
    uint8_t inherit, has_metadata;
} kwe_response;

/// The variant `message`: `response` and `context` count if `is_response`, else `request` does.
typedef struct {
    uint8_t is_response, has_context;
    kwe_request request;
    kwe_response response;
    kwe_slice context;
} kwe_message;

enum { KWE_SEND_OFFLINE = 0, KWE_SEND_TIMEOUT = 1 };

/// What `receive` and `send_and_await` hand over: a message from `peer`, or (`is_error`) a send
/// that failed.
typedef struct {
    uint8_t is_error, error_kind;  ///< `error_kind`: KWE_SEND_OFFLINE or KWE_SEND_TIMEOUT.
    uint8_t has_context;           ///< For `context` below.
    kwe_address
        peer;  ///< The source, or the target of the failed send (which 0.7 guests do not see).
    kwe_message message;  ///< What came, or what could not be sent.
    kwe_blob blob;        ///< Errors only; the blob of a message is fetched by `get_blob` (K-47).
    kwe_slice context;    ///< Errors of `receive` only.
} kwe_recv;

typedef struct {
    kwe_address target;
    kwe_request request;
    kwe_blob blob;
    kwe_slice context;
    uint8_t has_context;
} kwe_send;

enum { KWE_ON_EXIT_NONE = 0, KWE_ON_EXIT_RESTART = 1, KWE_ON_EXIT_REQUESTS = 2 };

/// Exit behaviour; `sends` (which never have a context) only with KWE_ON_EXIT_REQUESTS.
typedef struct {
    uint8_t kind;
    const kwe_send* sends;
    size_t nsends;
} kwe_on_exit;

/// A grant of `spawn`: 0.7 and 0.8 guests name only the process (`has_params` 0), K-220.
typedef struct {
    kwe_procid to;
    kwe_slice params;
    uint8_t has_params;
} kwe_grant;

typedef struct {
    kwe_slice name;
    uint8_t has_name, is_public;
    kwe_slice wasm_path;
    kwe_on_exit on_exit;
    const kwe_cap* request_caps;
    size_t nrequest;
    const kwe_grant* grants;
    size_t ngrants;
} kwe_spawn;

enum { KWE_SPAWN_OK = 0, KWE_SPAWN_NAME_TAKEN = 1, KWE_SPAWN_NO_FILE_AT_PATH = 2 };

// ---- the host's callbacks

/// Answer of a callback.
///
/// From calls that may suspend, KWE_PENDING means "not yet": the guest is suspended, and the call
/// is asked again with `again` = 1 at every later poll. From the others it means "done, but let
/// others run soon": the guest's slice ends at its next check (K-83, K-252). KWE_FAULT ends the
/// process as KWE_EXIT_FAULTED with the text of `fault_text`.
typedef enum { KWE_READY = 0, KWE_PENDING = 1, KWE_FAULT = 2 } kwe_hstat;

/// Answer of `on_tick`.
enum { KWE_TICK_CONTINUE = 0, KWE_TICK_YIELD = 1, KWE_TICK_KILL = 2, KWE_TICK_FAULT = 3 };

enum { KWE_LOG_ERROR = 0, KWE_LOG_WARN = 1, KWE_LOG_INFO = 2 };

/// What guests can ask for. The library copies the table at `kwe_engine_new`; every entry is
/// required.
///
/// `again` is 0 at the first call of an operation, with its arguments, and 1 when a suspended
/// operation is asked again: then pointers to arguments are NULL and counts 0. A process has at
/// most one operation in flight, so the host keeps its state behind `ctx`. An operation that is
/// asked too early answers KWE_PENDING once more.
typedef struct {
    uint32_t struct_size, abi;  ///< `abi` = KWE_ABI.
    void* env;                  ///< First argument of `wake` and `log`.

    /// The process can go on: poll it soon. Any thread; must not poll inline.
    void (*wake)(void* env, uint64_t pid);
    /// One line for the node's log. Any thread.
    void (*log)(void* env, int level, kwe_slice text);
    /// A running guest has used up `slice_ticks` ticks: a KWE_TICK_ value.
    int (*on_tick)(void* ctx);
    /// The text of the fault that was just answered.
    kwe_slice (*fault_text)(void* ctx);

    // standard: never suspend
    kwe_hstat (*print)(void* ctx, uint8_t verbosity, kwe_slice text);
    kwe_hstat (*our)(void* ctx, kwe_address* out);
    kwe_hstat (*get_on_exit)(void* ctx, kwe_on_exit* out);
    kwe_hstat (*set_on_exit)(void* ctx, const kwe_on_exit* on_exit);
    kwe_hstat (*has_blob)(void* ctx, int* out);
    /// `send-request` (n = 1) and `send-requests`.
    kwe_hstat (*send_requests)(void* ctx, const kwe_send* sends, size_t n);
    kwe_hstat (*send_response)(void* ctx, const kwe_response* response, const kwe_blob* blob);

    // standard: may suspend (E-7)
    kwe_hstat (*receive)(void* ctx, int again, kwe_recv* out);
    kwe_hstat (*send_and_await)(void* ctx, int again, const kwe_send* request, kwe_recv* out);
    /// `last` = 1: `last-blob`, else `get-blob` (K-48, K-49).
    kwe_hstat (*get_blob)(void* ctx, int again, int last, kwe_blob* out);
    kwe_hstat (*get_state)(void* ctx, int again, kwe_slice* out, int* present);
    kwe_hstat (*set_state)(void* ctx, int again, const kwe_slice* bytes);
    kwe_hstat (*clear_state)(void* ctx, int again);
    /// `error`: a KWE_SPAWN_ value; `out` counts only with KWE_SPAWN_OK.
    kwe_hstat (*spawn)(void* ctx, int again, const kwe_spawn* spawn, kwe_procid* out, int* error);
    /// `drop` = 1: `drop-capabilities`, else `save-capabilities`.
    kwe_hstat (*change_caps)(void* ctx, int again, int drop, const kwe_cap* caps, size_t n);
    kwe_hstat (*our_caps)(void* ctx, int again, const kwe_cap** out, size_t* n);

    // WASI (K-224)
    /// What the guest wrote: stream 1 is stdout, 2 stderr. Any bytes, at most 64 KiB a call unless
    /// the guest insists.
    kwe_hstat (*output)(void* ctx, int stream, kwe_slice bytes);
    /// Fills `n` bytes; `insecure` = 1 where a guest asked for cheap randomness.
    kwe_hstat (*random)(void* ctx, uint8_t* bytes, size_t n, int insecure);
    /// Nanoseconds of the injected monotonic clock (K-261).
    kwe_hstat (*monotonic)(void* ctx, uint64_t* ns);
    /// The injected wall clock: seconds since 1970 and nanoseconds below a second.
    kwe_hstat (*wall)(void* ctx, uint64_t* seconds, uint32_t* ns);
    /// May suspend: ready once the monotonic clock has reached `ns` (given again with `again` = 1).
    kwe_hstat (*sleep_until)(void* ctx, int again, uint64_t ns);
} kwe_host;

// ---- errors

enum {
    KWE_OK = 0,
    /// Misuse of this header, or a setting that cannot be served.
    KWE_E_INVALID = 1,
    /// Not a component, invalid, or uses a feature that is off (E-4).
    KWE_E_WASM = 2,
    /// Imports that are unknown or typed differently, or no `init`; the text names them all (E-4).
    KWE_E_IMPORT = 3,
    /// No free slot, or larger than the pool or `KWE_COMPONENT_BYTES_MAX` allows.
    KWE_E_LIMIT = 5,
    /// The operating system refused; the text carries its reason.
    KWE_E_OS = 6,
    /// A bug in the library.
    KWE_E_PANIC = 7,
};

/// One of the codes above.
int kwe_error_code(const kwe_error* error);
/// Cause, and cure where there is one. Valid until `kwe_error_free`.
kwe_slice kwe_error_text(const kwe_error* error);
void kwe_error_free(kwe_error* error);

// ---- engine

/// How guests' memories are laid out. KWE_MODE_AUTO takes KWE_MODE_FAST; the other two are refused
/// (E-14, stage 1).
enum { KWE_MODE_AUTO = 0, KWE_MODE_FAST = 1, KWE_MODE_DENSE = 2, KWE_MODE_ONDEMAND = 3 };

/// Components larger than this are refused with KWE_E_LIMIT.
#define KWE_COMPONENT_BYTES_MAX (64u << 20)

/// Settings of one engine. 0 takes the default named at each field.
typedef struct {
    uint32_t struct_size;
    /// A KWE_MODE_ value.
    uint32_t mode;
    /// Slots of the pool; 10 000. Clamped to what `vm.max_map_count` allows.
    uint32_t max_processes;
    /// Ticks until `on_tick` is asked; 1.
    uint32_t slice_ticks;
    /// Threads of the compile pool, and compilations at once; 2.
    uint32_t compile_threads;
    /// Slots kept warm for the components that used them; 256.
    uint32_t warm_slots;
    /// Largest memory of one guest; 1 GiB, at most 4 GiB.
    uint64_t max_memory_bytes;
    /// Stack of guest code; 512 KiB.
    uint64_t wasm_stack_bytes;
    /// Stack left for callbacks; 256 KiB.
    uint64_t host_stack_bytes;
    /// Bytes of a memory that are copied back instead of unmapped; 512 KiB.
    uint64_t warm_bytes;
    /// Largest data of one call, guest to host; `max_memory_bytes` + 64 KiB.
    uint64_t hostcall_bytes;
    /// 1: copy memory images at start instead of mapping them: 4 mappings a process, not 6.
    uint8_t no_cow;
    /// 1: guests run without the checks that end slices, so nothing interrupts or kills one that
    /// computes. Only for benches, to measure what the checks cost.
    uint8_t no_epochs;
    /// Directory of compiled code, made if missing; empty: code is compiled in every run.
    kwe_slice cache_dir;
    /// 32 secret bytes that authenticate it; given exactly when `cache_dir` is.
    kwe_slice cache_key;
} kwe_engine_config;

/// Counters for tests and metrics. `processes` and the pool's slots fall back to 0 when every
/// process has been deleted.
typedef struct {
    uint32_t struct_size;
    uint32_t max_processes;        ///< After the clamp.
    uint64_t processes;            ///< Between `kwe_process_new` and `kwe_process_delete`.
    uint64_t instances;            ///< Pool slots in use: component instances.
    uint64_t memories;             ///< Pool slots in use: linear memories.
    uint64_t stacks;               ///< Pool slots in use: stacks.
    uint64_t components;           ///< Components in memory.
    uint64_t warm_memories;        ///< Unused memory slots that stayed warm.
    uint64_t memory_hits_total;    ///< Requests for code answered from memory.
    uint64_t disk_hits_total;      ///< ... from the cache directory.
    uint64_t compiles_total;       ///< ... by compiling.
    uint64_t cache_rejects_total;  ///< Files that did not verify and were deleted (E-13).
} kwe_stats;

/// KWE_ABI of the library, to be compared before anything else is called.
uint32_t kwe_abi_version(void);

/// Sizes and offsets as the library sees them, for the layout test: fills `value` and returns 1, or
/// returns 0 past the last `index`. Order: for each struct of this header in order of appearance,
/// its size and then the offset of each field; `kwe_host` stands last.
int kwe_abi_layout(uint32_t index, uint32_t* value);

/// Makes an engine: checks what the machine allows, reserves the pool, opens the code cache, starts
/// the compile pool (the only threads of the library, E-19). Says mode, size and clamp in one line
/// of `log`.
///
/// The program's own handlers for SIGSEGV, SIGILL and SIGFPE have to be installed before.
/// Errors: KWE_E_INVALID, KWE_E_OS (address space, cache directory).
int kwe_engine_new(const kwe_engine_config* config, const kwe_host* host, kwe_engine** out,
                   kwe_error** error);
/// All processes have been deleted and all components given back before.
void kwe_engine_delete(kwe_engine* engine);
/// One tick of the slice clock, every 1 ms (E-9). One atomic add: any thread, also in a signal
/// handler.
void kwe_engine_tick(kwe_engine* engine);
/// Prepares the calling thread for running guests; optional, saves the first poll the work.
void kwe_thread_init(kwe_engine* engine);
/// What compiled code depends on: library, settings and processor.
void kwe_engine_fingerprint(const kwe_engine* engine, uint8_t out[32]);
/// Any thread.
void kwe_engine_stats(const kwe_engine* engine, kwe_stats* out);

// ---- code

/// Which `standard` interfaces a component imports (K-213, K-214, E-3); bits of
/// `kwe_component_info.standard`.
enum {
    KWE_STANDARD_KINODE_0_7 = 1,
    KWE_STANDARD_KINODE_0_8 = 2,
    KWE_STANDARD_KINODE_1_0 = 4,
    KWE_STANDARD_HYPERWARE_1_0 = 8,
};

typedef struct {
    uint32_t struct_size;
    uint32_t standard;     ///< KWE_STANDARD_ bits; 0 if it imports none.
    uint64_t image_bytes;  ///< Size of the compiled code.
} kwe_component_info;

/// Gets a component ready: from memory, from the cache directory, or by compiling (E-12).
/// Concurrent requests for the same bytes compile once.
///
/// `sha256` is the hash of `wasm`, trusted, or NULL to have it computed. `*out` carries one
/// reference. Blocks up to minutes: blocking pool only. Errors: KWE_E_WASM, KWE_E_IMPORT,
/// KWE_E_LIMIT, KWE_E_OS, KWE_E_PANIC.
int kwe_component_get(kwe_engine* engine, kwe_slice wasm, const uint8_t* sha256,
                      kwe_component** out, kwe_error** error);
/// The component, with a reference, if it is in memory; else NULL. Does not block.
kwe_component* kwe_component_find(kwe_engine* engine, const uint8_t sha256[32]);
void kwe_component_info_get(const kwe_component* component, kwe_component_info* out);
/// Any thread.
void kwe_component_ref(kwe_component* component);
/// Any thread. A component stays in memory while a process uses it, and a while longer.
void kwe_component_unref(kwe_component* component);

// ---- process

/// Bounds of one process. 0 takes what the engine allows.
typedef struct {
    uint32_t struct_size;
    uint32_t table_elements;  ///< Elements of one table.
    uint64_t memory_bytes;    ///< All memories together (K-232). Growth past it fails in the guest.
    /// What its clocks say their resolution is; 1 ms. `monotonic` and `wall` round by themselves.
    uint64_t clock_resolution_ns;
} kwe_limits;

/// How a process ended (E-10). Where several apply: killed, memory limit, exit, fault, trap.
enum {
    KWE_EXIT_RETURNED = 0,
    /// By WASI `exit`; `code` 0 counts as a return (K-143), others are errors.
    KWE_EXIT_EXITED = 1,
    /// `code`: number of the trap, -1 for others (bad pointers, refused WASI calls).
    KWE_EXIT_TRAPPED = 2,
    /// A callback answered KWE_FAULT.
    KWE_EXIT_FAULTED = 3,
    KWE_EXIT_KILLED = 4,
    /// It trapped or exited with an error, and had been refused memory since it last waited.
    KWE_EXIT_MEMORY_LIMIT = 5,
    /// `code`: KWE_E_LIMIT (no free slot: try again later), KWE_E_OS or KWE_E_WASM.
    KWE_EXIT_START_FAILED = 6,
    /// A bug in the library.
    KWE_EXIT_PANICKED = 7,
};

/// One frame of a guest's stack, innermost first. Names are empty where the guest carries none.
typedef struct {
    kwe_slice module, function;  ///< `function` is demangled.
    uint32_t func_index;
    uint64_t func_offset, module_offset;
} kwe_frame;

typedef struct {
    int32_t kind;    ///< A KWE_EXIT_ value.
    int32_t code;    ///< Its meaning stands at the kinds; else 0.
    kwe_slice text;  ///< The cause in one line; empty after a return.
    const kwe_frame* frames;
    size_t nframes;  ///< At most 32.
} kwe_exit;

typedef struct {
    uint32_t struct_size;
    uint64_t memory_bytes;  ///< Size of its memories now.
} kwe_usage;

/// Answer of `kwe_process_poll`: waits for a wake; wants to go on later; has ended.
enum { KWE_P_BLOCKED = 0, KWE_P_YIELDED = 1, KWE_P_DONE = 2 };

/// Makes a process that will call `init(our)`. Takes no slot of the pool before its first poll.
/// Holds its own reference to `component`; copies `our`. `pid` is what `wake` gets; `ctx` has to
/// live until `kwe_process_delete` has returned.
///
/// Errors: KWE_E_INVALID.
int kwe_process_new(kwe_component* component, uint64_t pid, void* ctx, kwe_slice our,
                    const kwe_limits* limits, kwe_process** out, kwe_error** error);
/// Runs the guest until it waits, yields or ends. One thread at a time; not again after KWE_P_DONE.
/// Never blocks.
int kwe_process_poll(kwe_process* process);
/// After KWE_P_DONE, until `kwe_process_delete`; else NULL.
const kwe_exit* kwe_process_exit(const kwe_process* process);
/// Ends the process as soon as possible (E-8): a waiting one at its next poll, for which `wake` is
/// called; a running one at its next tick or callback. Any thread, any time before delete.
void kwe_process_kill(kwe_process* process);
/// Any thread.
void kwe_process_usage(const kwe_process* process, kwe_usage* out);
/// Not while it is polled. Cancels it where it is; runs no guest code and calls nothing back. Gives
/// back its memory, about 0.08 ms per MiB written beyond `warm_bytes`: large ones on the blocking
/// pool (E-18).
void kwe_process_delete(kwe_process* process);

/// Places of `kwe_test_panic`: the next poll, the next callback of a group, the next `on_tick`.
enum { KWE_PANIC_IN_POLL = 1, KWE_PANIC_IN_CALLBACK = 2, KWE_PANIC_IN_TICK = 3 };

/// For tests only: makes the library panic at that place of that process, once (E-17).
void kwe_test_panic(kwe_process* process, int place);

#ifdef __cplusplus
}
#endif

#endif
