//! The Wasm engine of Perdure behind `kwe.h`: instances that can be polled, host calls as C
//! callbacks, compiled code on disk. No policy: what a guest may do, when it runs and what becomes
//! of its messages is decided on the other side.
//!
//! * `abi` the structs of the header; this file its functions;
//! * `engine` settings and pool, `code` and `cache` compiling, `imports` why a component does not
//!   fit;
//! * `process` one running guest, `host` how it calls out, `types` and `standard` what it can call,
//!   `wasi` the rest.

pub mod abi;
mod cache;
mod code;
mod engine;
mod error;
mod host;
mod imports;
mod process;
mod standard;
mod types;
mod wasi;

use std::ffi::{OsStr, c_int};
use std::mem::{offset_of, size_of};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use abi::*;
pub use code::Code as CodeHandle;
use code::{Code, Codes};
use engine::Core;
pub use error::Error;
use error::guarded;
use host::Control;
use process::Process;

/// A `kwe_engine`.
pub struct EngineHandle {
    core: Arc<Core>,
    codes: Codes,
}

/// A `kwe_process`: what one thread at a time uses, and what any thread may.
pub struct ProcessHandle {
    control: Arc<Control>,
    process: Process,
}

/// Ends a function that can fail: fills `error` unless it is NULL, and turns a panic into
/// `E_PANIC`.
unsafe fn finish(result: Result<Result<(), Error>, String>, error: *mut *mut Error) -> c_int {
    let failure = match result {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Error::new(E_PANIC, format!("panic: {panic}")),
    };
    let code = failure.code;
    if !error.is_null() {
        // SAFETY: the caller's pointer, not null.
        unsafe { *error = Box::into_raw(Box::new(failure)) };
    }
    code
}

/// Reads a struct of the caller, which may be an older and so a shorter one: the rest counts as
/// zero.
unsafe fn sized<T: Default + Copy>(from: *const T) -> T {
    let mut whole = T::default();
    if !from.is_null() {
        // SAFETY: `struct_size` is the first field of all structs read here, and says how many
        // bytes are there.
        unsafe {
            let size = (*from.cast::<u32>() as usize).min(size_of::<T>());
            std::ptr::copy_nonoverlapping(from.cast::<u8>(), (&raw mut whole).cast::<u8>(), size);
        }
    }
    whole
}

/// Fills a struct of the caller as far as it goes; `struct_size` stays as the caller set it.
unsafe fn fill<T>(to: *mut T, whole: &T) {
    // SAFETY: as in `sized`.
    unsafe {
        let skip = size_of::<u32>();
        let size = (*to.cast::<u32>() as usize).clamp(skip, size_of::<T>()) - skip;
        let from = (&raw const *whole).cast::<u8>().add(skip);
        std::ptr::copy_nonoverlapping(from, to.cast::<u8>().add(skip), size);
    }
}

// SAFETY for all functions below: the caller keeps to the contract of kwe.h; pointers it passes are
// valid and of the kind the name says. Only what goes beyond that is noted.

#[unsafe(no_mangle)]
pub extern "C" fn kwe_abi_version() -> u32 {
    ABI
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_abi_layout(index: u32, value: *mut u32) -> c_int {
    match layout(index) {
        Some(number) => {
            unsafe { *value = number };
            1
        }
        None => 0,
    }
}

// -------------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_error_code(error: *const Error) -> c_int {
    unsafe { (*error).code }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_error_text(error: *const Error) -> kwe_slice {
    kwe_slice::of(unsafe { &*error }.text.as_bytes())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_error_free(error: *mut Error) {
    if !error.is_null() {
        drop(unsafe { Box::from_raw(error) });
    }
}

// -------------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_engine_new(
    config: *const kwe_engine_config,
    host: *const kwe_host,
    out: *mut *mut EngineHandle,
    error: *mut *mut Error,
) -> c_int {
    let body = || -> Result<(), Error> {
        let table = unsafe { checked_table(host) }?;
        let config = unsafe { sized(config) };
        let cache = unsafe { cache_settings(&config) }?;
        let core = Arc::new(engine::open(&config, table)?);
        let cache = cache.as_ref().map(|(dir, key)| (Path::new(OsStr::from_bytes(dir)), *key));
        let codes = Codes::open(core.clone(), cache)?;
        unsafe { *out = Box::into_raw(Box::new(EngineHandle { core, codes })) };
        Ok(())
    };
    let result = guarded(None, body);
    unsafe { finish(result, error) }
}

/// The callback table, once it is sure that no entry is null.
unsafe fn checked_table(host: *const kwe_host) -> Result<kwe_host, Error> {
    let invalid = |text: &str| Err(Error::new(E_INVALID, text));
    if host.is_null() {
        return invalid("no callback table");
    }
    let (size, abi) = unsafe { (*host.cast::<u32>() as usize, *host.cast::<u32>().add(1)) };
    if abi != ABI || size != size_of::<kwe_host>() {
        return invalid("the callback table is of another version of kwe.h");
    }
    let first = offset_of!(kwe_host, wake);
    let entries = (size - first) / size_of::<usize>();
    // SAFETY: the entries are pointers, read as numbers, inside the size just compared.
    let words = unsafe { array(host.cast::<u8>().add(first).cast::<usize>(), entries) };
    match words.iter().position(|word| *word == 0) {
        Some(entry) => invalid(&format!("entry {entry} of the callback table is null")),
        None => Ok(unsafe { *host }),
    }
}

type CacheSettings = Option<(Vec<u8>, [u8; 32])>;

unsafe fn cache_settings(config: &kwe_engine_config) -> Result<CacheSettings, Error> {
    let (dir, key) = unsafe { (config.cache_dir.bytes(), config.cache_key.bytes()) };
    match (dir, key.len()) {
        ([], 0) => Ok(None),
        ([_, ..], 32) => {
            let key = key.try_into().map_err(|_| Error::new(E_INVALID, "cache_key"))?;
            Ok(Some((dir.to_vec(), key)))
        }
        _ => Err(Error::new(
            E_INVALID,
            "cache_dir goes with a cache_key of 32 bytes, and only with it",
        )),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_engine_delete(engine: *mut EngineHandle) {
    if !engine.is_null() {
        let _ = guarded(None, || drop(unsafe { Box::from_raw(engine) }));
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_engine_tick(engine: *mut EngineHandle) {
    unsafe { &*engine }.core.engine.increment_epoch();
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_thread_init(_engine: *mut EngineHandle) {
    let _ = guarded(None, wasmtime::Engine::tls_eager_initialize);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_engine_fingerprint(engine: *const EngineHandle, out: *mut u8) {
    let fingerprint = &unsafe { &*engine }.core.fingerprint;
    unsafe { std::ptr::copy_nonoverlapping(fingerprint.as_ptr(), out, fingerprint.len()) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_engine_stats(engine: *const EngineHandle, out: *mut kwe_stats) {
    let engine = unsafe { &*engine };
    if let Ok(stats) = guarded(Some(&engine.core.table), || engine.core.stats(&engine.codes)) {
        unsafe { fill(out, &stats) };
    }
}

// -------------------------------------------------------------------------------------------------

unsafe fn key(sha256: *const u8) -> Option<[u8; 32]> {
    (!sha256.is_null()).then(|| unsafe { *sha256.cast::<[u8; 32]>() })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_component_get(
    engine: *mut EngineHandle,
    wasm: kwe_slice,
    sha256: *const u8,
    out: *mut *const Code,
    error: *mut *mut Error,
) -> c_int {
    let engine = unsafe { &*engine };
    let body = || -> Result<(), Error> {
        let code = unsafe { engine.codes.get(wasm.bytes(), key(sha256)) }?;
        unsafe { *out = Arc::into_raw(code) };
        Ok(())
    };
    let result = guarded(Some(&engine.core.table), body);
    unsafe { finish(result, error) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_component_find(
    engine: *mut EngineHandle,
    sha256: *const u8,
) -> *const Code {
    let engine = unsafe { &*engine };
    let body = || engine.codes.find(&unsafe { key(sha256) }?);
    match guarded(Some(&engine.core.table), body) {
        Ok(Some(code)) => Arc::into_raw(code),
        _ => null(),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_component_info_get(
    component: *const Code,
    out: *mut kwe_component_info,
) {
    let code = unsafe { &*component };
    let info = kwe_component_info {
        struct_size: 0,
        standard: code.standard,
        image_bytes: code.image_bytes,
    };
    unsafe { fill(out, &info) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_component_ref(component: *const Code) {
    unsafe { Arc::increment_strong_count(component) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_component_unref(component: *const Code) {
    if !component.is_null() {
        let _ = guarded(None, || drop(unsafe { Arc::from_raw(component) }));
    }
}

// -------------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_process_new(
    component: *const Code,
    pid: u64,
    ctx: Ctx,
    our: kwe_slice,
    limits: *const kwe_limits,
    out: *mut *mut ProcessHandle,
    error: *mut *mut Error,
) -> c_int {
    let body = || -> Result<(), Error> {
        // SAFETY: the reference is the caller's; this one is the process's own.
        let code = unsafe {
            Arc::increment_strong_count(component);
            Arc::from_raw(component)
        };
        let our = std::str::from_utf8(unsafe { our.bytes() })
            .map_err(|_| Error::new(E_INVALID, "`our` is not UTF-8"))?
            .to_owned();
        let control = Arc::new(Control::new(code.core.clone(), pid));
        code.core.processes.fetch_add(1, Ordering::Relaxed);
        let process = Process::new(code, control.clone(), ctx, our, &unsafe { sized(limits) });
        unsafe { *out = Box::into_raw(Box::new(ProcessHandle { control, process })) };
        Ok(())
    };
    let result = guarded(None, body);
    unsafe { finish(result, error) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_process_poll(process: *mut ProcessHandle) -> c_int {
    // SAFETY: only the polling thread uses this field; others use `control` alone.
    unsafe { &mut (*process).process }.poll()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_process_exit(process: *const ProcessHandle) -> *const kwe_exit {
    unsafe { &(*process).process }.exit().map_or(null(), |exit| exit)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_process_kill(process: *mut ProcessHandle) {
    unsafe { &(*process).control }.kill();
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_process_usage(process: *const ProcessHandle, out: *mut kwe_usage) {
    let memory: &AtomicU64 = &unsafe { &(*process).control }.memory;
    let usage = kwe_usage { struct_size: 0, memory_bytes: memory.load(Ordering::Relaxed) };
    unsafe { fill(out, &usage) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_process_delete(process: *mut ProcessHandle) {
    if process.is_null() {
        return;
    }
    let core = unsafe { &(*process).control }.core.clone();
    let _ = guarded(Some(&core.table), || drop(unsafe { Box::from_raw(process) }));
    core.processes.fetch_sub(1, Ordering::Relaxed);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kwe_test_panic(process: *mut ProcessHandle, place: c_int) {
    unsafe { &(*process).control }.arm_panic(place);
}
