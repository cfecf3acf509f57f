//! The engine: what the machine allows, the settings of Wasmtime, and what all processes share
//! (sections 9 and 10 of the engine specification). Mode FAST only: guests run without bounds
//! checks, each memory in a 4 GiB reservation.

use std::ffi::c_int;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Strategy, WasmBacktraceDetails,
};

use crate::abi::{self, kwe_engine_config, kwe_host, kwe_slice, kwe_stats};
use crate::code::Codes;
use crate::error::Error;
use crate::host::Host;
use crate::standard::{self, Names};
use crate::wasi;

pub const TABLES_PER_PROCESS: usize = 8;
pub const INSTANCES_PER_PROCESS: usize = 16;
pub const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Handles of the component model that one process may hold at once.
pub const HANDLES_MAX: usize = 10_000;
pub const FRAMES_MAX: usize = 32;

/// Below this many processes a pool that cannot be had is an error, not a reason to try a smaller
/// one.
const PROCESSES_MIN: u32 = 1_024;
const PROCESSES_DEFAULT: u32 = 10_000;
/// Mappings of everything that is not a process, and of each process: 4 of its memory (2 without
/// copy-on-write), 2 of its stack.
const MAPPINGS_SPARE: u64 = 4_096;
const MAPPINGS_PER_PROCESS: u64 = 6;
const MAPPINGS_PER_PROCESS_NO_COW: u64 = 4;
const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// The settings with every default filled in.
pub struct Settings {
    pub max_processes: u32,
    pub slice_ticks: u64,
    pub compile_threads: usize,
    warm_slots: u32,
    pub max_memory_bytes: usize,
    wasm_stack_bytes: usize,
    host_stack_bytes: usize,
    warm_bytes: usize,
    pub hostcall_bytes: usize,
    no_cow: bool,
    no_epochs: bool,
}

/// What all processes and components of an engine share.
pub struct Core {
    pub table: kwe_host,
    pub engine: Engine,
    pub linker: Linker<Host>,
    pub names: Names,
    pub settings: Settings,
    pub slice_ticks: u64,
    pub fingerprint: [u8; 32],
    pub processes: AtomicU64,
}

impl Core {
    pub fn log(&self, level: c_int, text: &str) {
        log(&self.table, level, text);
    }

    pub fn wake(&self, pid: u64) {
        // SAFETY: any thread may wake (kwe.h).
        unsafe { (self.table.wake)(self.table.env, pid) }
    }

    pub fn stats(&self, codes: &Codes) -> kwe_stats {
        let pool = self.engine.pooling_allocator_metrics();
        let count =
            |read: fn(&wasmtime::PoolingAllocatorMetrics) -> u64| pool.as_ref().map_or(0, read);
        let mut stats = kwe_stats {
            struct_size: size_of::<kwe_stats>() as u32,
            max_processes: self.settings.max_processes,
            processes: self.processes.load(Ordering::Relaxed),
            instances: count(|pool| pool.component_instances()),
            memories: count(|pool| pool.memories() as u64),
            stacks: count(|pool| pool.stacks() as u64),
            warm_memories: count(|pool| pool.unused_warm_memories().into()),
            ..Default::default()
        };
        codes.stats(&mut stats);
        stats
    }
}

pub fn log(table: &kwe_host, level: c_int, text: &str) {
    // SAFETY: any thread may log (kwe.h); the text outlives the call.
    unsafe { (table.log)(table.env, level, kwe_slice::of(text.as_bytes())) }
}

/// Builds the engine and says in one log line what it became (E-14).
pub fn open(config: &kwe_engine_config, table: kwe_host) -> Result<Core, Error> {
    let mut settings = settings(config)?;
    let asked = settings.max_processes;
    let mut reason = clamp_to_mappings(&mut settings);
    let engine = loop {
        match Engine::new(&wasmtime_config(&settings)) {
            Ok(engine) => break engine,
            Err(error) if settings.max_processes / 2 >= PROCESSES_MIN => {
                settings.max_processes /= 2;
                reason = format!("no address space for more: {error:#}");
            }
            Err(error) => {
                return Err(Error::new(
                    abi::E_OS,
                    format!(
                        "no pool for {} processes: {error:#}; lift RLIMIT_AS and vm.overcommit_memory=2, or ask \
                         for fewer processes",
                        settings.max_processes
                    ),
                ));
            }
        }
    };
    let mut linker = Linker::new(&engine);
    let mut names = Names::new();
    standard::register(&mut linker, &mut names)
        .and_then(|()| wasi::register(&mut linker, &mut names))
        .map_err(|error| {
            Error::new(abi::E_PANIC, format!("the linker refused its own table: {error:#}"))
        })?;

    let clamped = settings.max_processes < asked;
    let why = if clamped { format!(" asked={asked} reason=\"{reason}\"") } else { String::new() };
    let level = if clamped { abi::LOG_WARN } else { abi::LOG_INFO };
    log(
        &table,
        level,
        &format!("engine_started mode=fast max_processes={}{why}", settings.max_processes),
    );

    Ok(Core {
        table,
        linker,
        names,
        slice_ticks: settings.slice_ticks,
        fingerprint: fingerprint(&engine),
        settings,
        engine,
        processes: AtomicU64::new(0),
    })
}

fn settings(config: &kwe_engine_config) -> Result<Settings, Error> {
    if config.mode > abi::MODE_FAST {
        let text = "engine modes DENSE and ONDEMAND are not built yet; use AUTO or FAST";
        return Err(Error::new(abi::E_INVALID, text));
    }
    let or = |value: u64, default: u64| if value == 0 { default } else { value };
    let max_memory_bytes = or(config.max_memory_bytes, 1 << 30);
    if max_memory_bytes > MEMORY_BYTES_MAX {
        let text =
            format!("max_memory_bytes is {max_memory_bytes}; at most {MEMORY_BYTES_MAX} (4 GiB)");
        return Err(Error::new(abi::E_INVALID, text));
    }
    Ok(Settings {
        max_processes: or(config.max_processes.into(), PROCESSES_DEFAULT.into()) as u32,
        slice_ticks: or(config.slice_ticks.into(), 1),
        compile_threads: or(config.compile_threads.into(), 2) as usize,
        warm_slots: or(config.warm_slots.into(), 256) as u32,
        max_memory_bytes: max_memory_bytes as usize,
        wasm_stack_bytes: or(config.wasm_stack_bytes, 512 << 10) as usize,
        host_stack_bytes: or(config.host_stack_bytes, 256 << 10) as usize,
        warm_bytes: or(config.warm_bytes, 512 << 10) as usize,
        hostcall_bytes: or(config.hostcall_bytes, max_memory_bytes + (64 << 10)) as usize,
        no_cow: config.no_cow != 0,
        no_epochs: config.no_epochs != 0,
    })
}

/// Lowers `max_processes` to what `vm.max_map_count` leaves room for; the reason, for the log.
fn clamp_to_mappings(settings: &mut Settings) -> String {
    let each = if settings.no_cow { MAPPINGS_PER_PROCESS_NO_COW } else { MAPPINGS_PER_PROCESS };
    let Some(limit) = std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok())
    else {
        return String::new();
    };
    let room = (limit.saturating_sub(MAPPINGS_SPARE) / each).max(1);
    settings.max_processes = u64::from(settings.max_processes).min(room) as u32;
    format!("vm.max_map_count is {limit}; set it to 1048576 for more")
}

fn wasmtime_config(settings: &Settings) -> Config {
    let n = settings.max_processes;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(n)
        .total_core_instances(n.saturating_mul(6))
        .total_memories(n)
        .total_tables(n.saturating_mul(3))
        .total_stacks(n)
        .max_memory_size(settings.max_memory_bytes)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_core_instances_per_component(INSTANCES_PER_PROCESS as u32)
        .max_memories_per_component(2)
        .max_tables_per_component(TABLES_PER_PROCESS as u32)
        .max_memories_per_module(1)
        .max_tables_per_module(4)
        .max_core_instance_size(1 << 20)
        .max_component_instance_size(1 << 20)
        .max_unused_warm_slots(settings.warm_slots)
        .linear_memory_keep_resident(settings.warm_bytes)
        .table_keep_resident(16 << 10)
        // 1: no process pays for giving back another's memory.
        .decommit_batch_size(1)
        .pagemap_scan(Enabled::Auto);

    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true)
        .epoch_interruption(!settings.no_epochs)
        .consume_fuel(false)
        .signals_based_traps(true)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .guard_before_linear_memory(true)
        .memory_init_cow(!settings.no_cow)
        .max_wasm_stack(settings.wasm_stack_bytes)
        .async_stack_size(settings.wasm_stack_bytes + settings.host_stack_bytes)
        .async_stack_zeroing(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX))
        // Never read the environment variable.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(true)
        .native_unwind_info(false)
        .wasm_memory64(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// What compiled code depends on: this crate's version, and Wasmtime's own list of target, flags,
/// processor features, tunables and version.
fn fingerprint(engine: &Engine) -> [u8; 32] {
    struct Bytes(Sha256);
    impl Hasher for Bytes {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Bytes(Sha256::new());
    hasher.write(concat!("kwe ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}
