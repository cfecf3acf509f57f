//! Components made ready to run: from memory, from disk, or compiled; each once (E-12, K-233).

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::abi::{self, kwe_stats};
use crate::cache::{Cache, Found, Key, exceeds_pool};
use crate::engine::Core;
use crate::error::Error;
use crate::host::Host;
use crate::imports;
use crate::standard::STANDARD;

/// Components kept although nobody uses them: number and bytes of code.
const RECENT_MAX: usize = 256;
const RECENT_BYTES_MAX: u64 = 512 << 20;
/// Bytes of components being compiled at once; a single one may have more.
const COMPILING_BYTES_MAX: usize = 2 * abi::COMPONENT_BYTES_MAX;
const COMPILE_STACK_BYTES: usize = 8 << 20;
const ERROR_TEXT_MAX: usize = 4 << 10;

/// A component that can be instantiated.
pub struct Code {
    pub core: Arc<Core>,
    pub pre: InstancePre<Host>,
    pub init: ComponentExportIndex,
    /// `STANDARD_` bits.
    pub standard: u32,
    pub image_bytes: u64,
    live: Arc<AtomicU64>,
}

impl Drop for Code {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All components of an engine.
pub struct Codes {
    core: Arc<Core>,
    cache: Option<Cache>,
    compilers: rayon::ThreadPool,
    gate: Gate,
    table: Mutex<Table>,
    live: Arc<AtomicU64>,
    memory_hits: AtomicU64,
    disk_hits: AtomicU64,
    compiles: AtomicU64,
    rejects: AtomicU64,
    /// The last component could not be kept on disk, and that has been said.
    not_kept: AtomicBool,
}

#[derive(Default)]
struct Table {
    slots: HashMap<Key, Arc<Slot>>,
    /// The most recently asked for, newest last.
    recent: VecDeque<(Key, Arc<Code>)>,
}

/// The place of one component. `building` is held while it is made, so that others wait instead of
/// making it too.
#[derive(Default)]
struct Slot {
    building: Mutex<()>,
    code: Mutex<Weak<Code>>,
}

impl Codes {
    pub fn open(core: Arc<Core>, cache: Option<(&Path, Key)>) -> Result<Self, Error> {
        let cache = cache
            .map(|(dir, secret)| {
                Cache::open(dir, &core.fingerprint, secret).map_err(|error| {
                    let text = format!(
                        "code cache {}: {error}; give a directory the node may write",
                        dir.display()
                    );
                    Error::new(abi::E_OS, text)
                })
            })
            .transpose()?;
        let threads = core.settings.compile_threads;
        let compilers = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(COMPILE_STACK_BYTES)
            .thread_name(|number| format!("kwe-compile-{number}"))
            .build()
            .map_err(|error| Error::new(abi::E_OS, format!("compile pool: {error}")))?;
        Ok(Self {
            core,
            cache,
            compilers,
            gate: Gate::new(threads),
            table: Mutex::default(),
            live: Arc::default(),
            memory_hits: AtomicU64::new(0),
            disk_hits: AtomicU64::new(0),
            compiles: AtomicU64::new(0),
            rejects: AtomicU64::new(0),
            not_kept: AtomicBool::new(false),
        })
    }

    pub fn find(&self, key: &Key) -> Option<Arc<Code>> {
        let slot = locked(&self.table).slots.get(key).cloned()?;
        let code = locked(&slot.code).upgrade()?;
        self.used(key, &code);
        Some(code)
    }

    pub fn get(&self, wasm: &[u8], key: Option<Key>) -> Result<Arc<Code>, Error> {
        if wasm.len() > abi::COMPONENT_BYTES_MAX {
            let text = format!(
                "the component has {} bytes; component_bytes_max is {}",
                wasm.len(),
                abi::COMPONENT_BYTES_MAX
            );
            return Err(Error::new(abi::E_LIMIT, text));
        }
        let key = key.unwrap_or_else(|| Sha256::digest(wasm).into());
        let slot = locked(&self.table).slots.entry(key).or_default().clone();
        let _building = locked(&slot.building);
        let known = locked(&slot.code).upgrade();
        if let Some(code) = known {
            self.memory_hits.fetch_add(1, Ordering::Relaxed);
            self.used(&key, &code);
            return Ok(code);
        }
        let made = self.component(wasm, &key).and_then(|component| self.code(component));
        match made {
            Ok(code) => {
                *locked(&slot.code) = Arc::downgrade(&code);
                self.used(&key, &code);
                Ok(code)
            }
            Err(error) => {
                locked(&self.table).slots.remove(&key);
                Err(error)
            }
        }
    }

    /// Notes that `code` was asked for, and lets go of what has not been for longest.
    fn used(&self, key: &Key, code: &Arc<Code>) {
        let mut dropped = Vec::new();
        let mut table = locked(&self.table);
        table.recent.retain(|(other, _)| other != key);
        table.recent.push_back((*key, code.clone()));
        let mut bytes: u64 = table.recent.iter().map(|(_, code)| code.image_bytes).sum();
        while table.recent.len() > RECENT_MAX
            || (bytes > RECENT_BYTES_MAX && table.recent.len() > 1)
        {
            let Some((_, code)) = table.recent.pop_front() else { break };
            bytes -= code.image_bytes;
            dropped.push(code);
        }
        let gone = |slot: &Arc<Slot>| {
            Arc::strong_count(slot) == 1 && locked(&slot.code).strong_count() == 0
        };
        table.slots.retain(|_, slot| !gone(slot));
        drop(table); // Unmapping code takes a while.
    }

    fn component(&self, wasm: &[u8], key: &Key) -> Result<Component, Error> {
        if let Some(component) = self.from_disk(key)? {
            self.disk_hits.fetch_add(1, Ordering::Relaxed);
            return Ok(component);
        }
        let code = self.compile(wasm)?;
        if let Some(cache) = &self.cache {
            match cache.store(key, &code) {
                // Through the file, so that a first start behaves as a restart does.
                Ok(()) => {
                    self.not_kept.store(false, Ordering::Relaxed);
                    if let Some(component) = self.from_disk(key)? {
                        return Ok(component);
                    }
                }
                // Once, not for every component: a full or read-only disk stays so for a while.
                Err(error) if !self.not_kept.swap(true, Ordering::Relaxed) => {
                    let text = format!(
                        "code_not_cached reason=\"{error}\" still=\"compiled in each run\""
                    );
                    self.core.log(abi::LOG_WARN, &text);
                }
                Err(_) => {}
            }
        }
        // SAFETY: Wasmtime has just made these bytes.
        unsafe { Component::deserialize(&self.core.engine, &code) }
            .map_err(|error| load_error(&error))
    }

    fn from_disk(&self, key: &Key) -> Result<Option<Component>, Error> {
        let Some(cache) = &self.cache else { return Ok(None) };
        match cache.load(&self.core.engine, key).map_err(|error| load_error(&error))? {
            Found::Code(component) => Ok(Some(component)),
            Found::Nothing => Ok(None),
            Found::Rejected => {
                self.rejects.fetch_add(1, Ordering::Relaxed);
                let name = crate::cache::hex(key);
                self.core.log(
                    abi::LOG_WARN,
                    &format!("cached_code_rejected sha256={name} action=rebuild"),
                );
                Ok(None)
            }
        }
    }

    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, Error> {
        if wasm.starts_with(b"\0asm\x01\0\0\0") {
            let text = "a core module, not a component; make one of it with perdure-componentize";
            return Err(Error::new(abi::E_WASM, text));
        }
        if !wasm.starts_with(b"\0asm") {
            return Err(Error::new(abi::E_WASM, "not a component: it does not begin with \\0asm"));
        }
        let _place = self.gate.enter(wasm.len());
        self.compiles.fetch_add(1, Ordering::Relaxed);
        let compiled = self.compilers.install(|| self.core.engine.precompile_component(wasm));
        compiled.map_err(|error| Error::new(abi::E_WASM, one_line(&error)))
    }

    fn code(&self, component: Component) -> Result<Arc<Code>, Error> {
        let import_error = |text: String| Error::new(abi::E_IMPORT, text);
        let pre = self
            .core
            .linker
            .instantiate_pre(&component)
            .map_err(|error| import_error(imports::refusal(&self.core, &component, &error)))?;
        if let Some(text) = imports::init_refusal(&self.core.engine, &component) {
            return Err(import_error(text));
        }
        let init = component
            .get_export_index(None, "init")
            .ok_or_else(|| import_error("the component has no `init`".into()))?;
        component
            .initialize_copy_on_write_image()
            .map_err(|error| Error::new(abi::E_OS, one_line(&error)))?;
        let image = component.image_range();
        self.live.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Code {
            core: self.core.clone(),
            standard: standard(&component),
            pre,
            init,
            image_bytes: image.end as u64 - image.start as u64,
            live: self.live.clone(),
        }))
    }

    pub fn stats(&self, stats: &mut kwe_stats) {
        stats.components = self.live.load(Ordering::Relaxed);
        stats.memory_hits_total = self.memory_hits.load(Ordering::Relaxed);
        stats.disk_hits_total = self.disk_hits.load(Ordering::Relaxed);
        stats.compiles_total = self.compiles.load(Ordering::Relaxed);
        stats.cache_rejects_total = self.rejects.load(Ordering::Relaxed);
    }
}

/// Which `standard` interfaces a component imports (E-3).
fn standard(component: &Component) -> u32 {
    let ty = component.component_type();
    let mut bits = 0;
    for (name, _) in ty.imports(component.engine()) {
        for (known, bit) in STANDARD {
            if imports::same_interface(known, name) {
                bits |= bit;
            }
        }
    }
    bits
}

fn load_error(error: &wasmtime::Error) -> Error {
    let code = if exceeds_pool(error) { abi::E_LIMIT } else { abi::E_WASM };
    Error::new(code, one_line(error))
}

fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}").replace('\n', " ");
    text.chars().take(ERROR_TEXT_MAX).collect()
}

/// A panic while a lock was held leaves nothing half-done here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bounds the compilations under way, by number and by bytes.
struct Gate {
    jobs_max: usize,
    inside: Mutex<(usize, usize)>,
    left: Condvar,
}

struct Place<'a>(&'a Gate, usize);

impl Gate {
    fn new(jobs_max: usize) -> Self {
        Self { jobs_max, inside: Mutex::new((0, 0)), left: Condvar::new() }
    }

    /// Whether `bytes` more have to wait.
    fn is_full(&self, (jobs, total): (usize, usize), bytes: usize) -> bool {
        jobs > 0 && (jobs >= self.jobs_max || total + bytes > COMPILING_BYTES_MAX)
    }

    /// Waits for room, and gives it back when the place is dropped.
    fn enter(&self, bytes: usize) -> Place<'_> {
        let mut inside = self
            .left
            .wait_while(locked(&self.inside), |inside| self.is_full(*inside, bytes))
            .unwrap_or_else(PoisonError::into_inner);
        *inside = (inside.0 + 1, inside.1 + bytes);
        Place(self, bytes)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inside = locked(&self.0.inside);
        *inside = (inside.0 - 1, inside.1 - self.1);
        self.0.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_bytes_are_compiled_at_once_and_what_is_more_waits() {
        let gate = Gate::new(3);
        let half = COMPILING_BYTES_MAX / 2;
        let _first = gate.enter(half);
        let inside = || *locked(&gate.inside);
        assert!(!gate.is_full(inside(), half));
        assert!(gate.is_full(inside(), half + 1));
        let second = gate.enter(half);
        assert!(gate.is_full(inside(), 1));
        std::thread::scope(|scope| {
            let third = scope.spawn(|| drop(gate.enter(1)));
            drop(second); // Until here `third` cannot have ended.
            third.join().unwrap();
        });
        assert_eq!(inside(), (1, half));
    }

    #[test]
    fn so_many_components_are_compiled_at_once_and_one_more_waits() {
        let gate = Gate::new(2);
        let _first = gate.enter(1);
        assert!(!gate.is_full(*locked(&gate.inside), 1));
        let _second = gate.enter(1);
        assert!(gate.is_full(*locked(&gate.inside), 1));
    }

    #[test]
    fn a_component_with_more_bytes_is_compiled_alone() {
        let gate = Gate::new(2);
        assert!(!gate.is_full((0, 0), COMPILING_BYTES_MAX + 1));
        let _place = gate.enter(COMPILING_BYTES_MAX + 1);
        assert!(gate.is_full(*locked(&gate.inside), 1));
    }
}
