//! What the tests of the bridge share: an engine, scripted answers to every callback, and guests
//! made from text.
#![allow(dead_code)] // Each test program uses its part.

use std::collections::{HashMap, VecDeque};
use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use kwe::abi::*;
use kwe::*;

pub const VERSIONS: [(&str, &str, &str); 4] = [
    ("kinode-0.7.0", "process", "kinode:process/standard@0.7.0"),
    ("kinode-0.8.0", "process-v0", "kinode:process/standard@0.8.0"),
    ("kinode-1.0.0", "process-v1", "kinode:process/standard@1.0.0"),
    ("hyperware-1.0.0", "process-v1", "hyperware:process/standard@1.0.0"),
];
pub const NEWEST: &str = "hyperware:process/standard@1.0.0";
pub const FOREVER: u32 = u32::MAX;

/// What the host answers one process, and what it saw.
pub struct Script {
    /// Every callback but `on_tick`; a repeated one ends in `+`.
    pub calls: Vec<String>,
    /// How often a callback answers "pending" before it is ready.
    pub pending: HashMap<&'static str, u32>,
    /// The callback that answers with a fault.
    pub fault: Option<&'static str>,
    /// The callback in the middle of which this process is killed.
    pub killed_in: Option<(&'static str, *mut ProcessHandle)>,
    pub prints: Vec<String>,
    pub stderr: Vec<u8>,
    pub sent: Vec<Vec<u8>>,
    pub messages: VecDeque<Vec<u8>>,
    pub blob: Option<Vec<u8>>,
    pub state: Option<Vec<u8>>,
    pub on_tick: c_int,
    pub ticks: u64,
    pub now_ns: u64,
    pub sleeping_until: Option<u64>,
    /// What was handed out last; overwritten as soon as the contract allows.
    pub pinned: Vec<Vec<u8>>,
    pub deleted: bool,
    pub wakes: AtomicU64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            calls: vec![],
            pending: HashMap::new(),
            fault: None,
            killed_in: None,
            prints: vec![],
            stderr: vec![],
            sent: vec![],
            messages: VecDeque::new(),
            blob: None,
            state: None,
            on_tick: TICK_YIELD,
            ticks: 0,
            now_ns: 1,
            sleeping_until: None,
            pinned: vec![],
            deleted: false,
            wakes: AtomicU64::new(0),
        }
    }
}

impl Script {
    /// Begins a counted callback: the memory handed out before is no longer good.
    fn begin(&mut self, name: &'static str, again: c_int) -> c_int {
        assert!(!self.deleted, "{name} was called for a deleted process");
        for buffer in &mut self.pinned {
            buffer.fill(0xDD);
        }
        self.pinned.clear();
        self.calls.push(if again == 0 { name.into() } else { format!("{name}+") });
        if self.fault == Some(name) {
            return 2;
        }
        if let Some((in_call, process)) = self.killed_in
            && in_call == name
        {
            unsafe { kwe::kwe_process_kill(process) };
        }
        match self.pending.get_mut(name) {
            Some(0) | None => READY,
            Some(times) => {
                if *times != FOREVER {
                    *times -= 1;
                }
                PENDING
            }
        }
    }

    fn pin(&mut self, bytes: &[u8]) -> kwe_slice {
        self.pinned.push(bytes.to_vec());
        kwe_slice::of(self.pinned.last().expect("just pushed"))
    }

    fn address(&mut self) -> kwe_address {
        kwe_address {
            node: self.pin(b"fake.os"),
            id: kwe_procid {
                process: self.pin(b"peer"),
                package: self.pin(b"tests"),
                publisher: self.pin(b"sys"),
            },
        }
    }

    fn message(&mut self, out: &mut kwe_recv) {
        let body = self.messages.pop_front().unwrap_or_default();
        out.peer = self.address();
        out.message.request.body = self.pin(&body);
    }

    pub fn saw(&self, call: &str) -> bool {
        self.calls.iter().any(|seen| seen == call)
    }
}

/// Lines every engine of a test program logged.
pub static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn script<'a>(ctx: Ctx) -> &'a mut Script {
    unsafe { &mut *ctx.cast::<Script>() }
}

extern "C" fn wake(_: *mut c_void, pid: u64) {
    // The tests use the address of the script as the process's number.
    unsafe { &(*(pid as *const Script)).wakes }.fetch_add(1, Ordering::Relaxed);
}
extern "C" fn log(_: *mut c_void, level: c_int, text: kwe_slice) {
    let text = String::from_utf8_lossy(unsafe { text.bytes() }).into_owned();
    LOG.lock().unwrap().push(format!("{level} {text}"));
}
extern "C" fn on_tick(ctx: Ctx) -> c_int {
    script(ctx).ticks += 1;
    script(ctx).on_tick
}
extern "C" fn fault_text(_: Ctx) -> kwe_slice {
    kwe_slice::of(b"the script says so")
}
extern "C" fn print(ctx: Ctx, _: u8, text: kwe_slice) -> c_int {
    let answer = script(ctx).begin("print", 0);
    script(ctx).prints.push(unsafe { text.text() }.into());
    answer
}
extern "C" fn our(ctx: Ctx, out: *mut kwe_address) -> c_int {
    let answer = script(ctx).begin("our", 0);
    unsafe { *out = script(ctx).address() };
    answer
}
extern "C" fn get_on_exit(ctx: Ctx, out: *mut kwe_on_exit) -> c_int {
    unsafe { (*out).kind = 1 };
    script(ctx).begin("get_on_exit", 0)
}
extern "C" fn set_on_exit(ctx: Ctx, _: *const kwe_on_exit) -> c_int {
    script(ctx).begin("set_on_exit", 0)
}
extern "C" fn has_blob(ctx: Ctx, out: *mut c_int) -> c_int {
    unsafe { *out = script(ctx).blob.is_some().into() };
    script(ctx).begin("has_blob", 0)
}
extern "C" fn send_requests(ctx: Ctx, sends: *const kwe_send, n: usize) -> c_int {
    let answer = script(ctx).begin("send_requests", 0);
    for send in unsafe { array(sends, n) } {
        script(ctx).sent.push(unsafe { send.request.body.bytes() }.to_vec());
    }
    answer
}
extern "C" fn send_response(ctx: Ctx, response: *const kwe_response, _: *const kwe_blob) -> c_int {
    let answer = script(ctx).begin("send_response", 0);
    script(ctx).sent.push(unsafe { (*response).body.bytes() }.to_vec());
    answer
}
extern "C" fn receive(ctx: Ctx, again: c_int, out: *mut kwe_recv) -> c_int {
    let answer = script(ctx).begin("receive", again);
    if answer == READY {
        script(ctx).message(unsafe { &mut *out });
    }
    answer
}
extern "C" fn send_and_await(
    ctx: Ctx,
    again: c_int,
    send: *const kwe_send,
    out: *mut kwe_recv,
) -> c_int {
    assert_eq!(send.is_null(), again == 1, "arguments come with the first call only");
    let answer = script(ctx).begin("send_and_await", again);
    if answer == READY {
        script(ctx).message(unsafe { &mut *out });
    }
    answer
}
extern "C" fn get_blob(ctx: Ctx, again: c_int, _: c_int, out: *mut kwe_blob) -> c_int {
    let answer = script(ctx).begin("get_blob", again);
    if answer == READY
        && let Some(blob) = script(ctx).blob.clone()
    {
        let bytes = script(ctx).pin(&blob);
        unsafe { *out = kwe_blob { bytes, present: 1, ..Default::default() } };
    }
    answer
}
extern "C" fn get_state(ctx: Ctx, again: c_int, out: *mut kwe_slice, present: *mut c_int) -> c_int {
    let answer = script(ctx).begin("get_state", again);
    if let Some(state) = script(ctx).state.clone() {
        unsafe { (*out, *present) = (script(ctx).pin(&state), 1) };
    }
    answer
}
extern "C" fn set_state(ctx: Ctx, again: c_int, bytes: *const kwe_slice) -> c_int {
    let answer = script(ctx).begin("set_state", again);
    if again == 0 {
        script(ctx).state = Some(unsafe { (*bytes).bytes() }.to_vec());
    }
    answer
}
extern "C" fn clear_state(ctx: Ctx, again: c_int) -> c_int {
    script(ctx).state = None;
    script(ctx).begin("clear_state", again)
}
extern "C" fn spawn(
    ctx: Ctx,
    again: c_int,
    _: *const kwe_spawn,
    out: *mut kwe_procid,
    error: *mut c_int,
) -> c_int {
    let answer = script(ctx).begin("spawn", again);
    unsafe { (*out, *error) = (script(ctx).address().id, SPAWN_OK) };
    answer
}
extern "C" fn change_caps(
    ctx: Ctx,
    again: c_int,
    drop: c_int,
    _: *const kwe_cap,
    _: usize,
) -> c_int {
    script(ctx).begin(if drop == 1 { "drop_caps" } else { "save_caps" }, again)
}
extern "C" fn our_caps(ctx: Ctx, again: c_int, _: *mut *const kwe_cap, _: *mut usize) -> c_int {
    script(ctx).begin("our_caps", again)
}
extern "C" fn output(ctx: Ctx, stream: c_int, bytes: kwe_slice) -> c_int {
    let answer = script(ctx).begin("output", 0);
    if stream == 2 {
        script(ctx).stderr.extend_from_slice(unsafe { bytes.bytes() });
    }
    answer
}
extern "C" fn random(ctx: Ctx, bytes: *mut u8, n: usize, _: c_int) -> c_int {
    unsafe { std::ptr::write_bytes(bytes, 0x5A, n) };
    script(ctx).begin("random", 0)
}
extern "C" fn monotonic(ctx: Ctx, ns: *mut u64) -> c_int {
    unsafe { *ns = script(ctx).now_ns };
    script(ctx).begin("monotonic", 0)
}
extern "C" fn wall(ctx: Ctx, seconds: *mut u64, ns: *mut u32) -> c_int {
    unsafe { (*seconds, *ns) = (1_700_000_000, 5) };
    script(ctx).begin("wall", 0)
}
extern "C" fn sleep_until(ctx: Ctx, again: c_int, ns: u64) -> c_int {
    let answer = script(ctx).begin("sleep_until", again);
    script(ctx).sleeping_until = Some(ns);
    if answer == READY && script(ctx).now_ns < ns { PENDING } else { answer }
}

pub fn table() -> kwe_host {
    kwe_host {
        struct_size: size_of::<kwe_host>() as u32,
        abi: ABI,
        env: null_mut(),
        wake,
        log,
        on_tick,
        fault_text,
        print,
        our,
        get_on_exit,
        set_on_exit,
        has_blob,
        send_requests,
        send_response,
        receive,
        send_and_await,
        get_blob,
        get_state,
        set_state,
        clear_state,
        spawn,
        change_caps,
        our_caps,
        output,
        random,
        monotonic,
        wall,
        sleep_until,
    }
}

pub fn config() -> kwe_engine_config {
    kwe_engine_config {
        struct_size: size_of::<kwe_engine_config>() as u32,
        max_processes: 16,
        max_memory_bytes: 64 << 20,
        ..Default::default()
    }
}

/// An engine; deleted with everything accounted for.
pub struct Node {
    pub engine: *mut EngineHandle,
}

// As kwe.h says: components are asked for from any thread.
unsafe impl Send for Node {}
unsafe impl Sync for Node {}

pub type Failure = (c_int, String);

fn failure(code: c_int, error: *mut Error) -> Failure {
    let text = unsafe { kwe_error_text(error).text() }.to_owned();
    assert_eq!(unsafe { kwe_error_code(error) }, code);
    unsafe { kwe_error_free(error) };
    (code, text)
}

impl Node {
    pub fn new() -> Self {
        Self::with(&config()).expect("an engine")
    }

    pub fn with(config: &kwe_engine_config) -> Result<Self, Failure> {
        let (mut engine, mut error) = (null_mut(), null_mut());
        match unsafe { kwe_engine_new(config, &table(), &mut engine, &mut error) } {
            OK => Ok(Self { engine }),
            code => Err(failure(code, error)),
        }
    }

    /// With a code cache in `dir`.
    pub fn cached(dir: &Path, key: &[u8; 32]) -> Self {
        let dir = dir.to_str().unwrap();
        let config = kwe_engine_config {
            cache_dir: kwe_slice::of(dir.as_bytes()),
            cache_key: kwe_slice::of(key),
            ..config()
        };
        Self::with(&config).expect("an engine")
    }

    pub fn stats(&self) -> kwe_stats {
        let mut stats =
            kwe_stats { struct_size: size_of::<kwe_stats>() as u32, ..Default::default() };
        unsafe { kwe_engine_stats(self.engine, &mut stats) };
        stats
    }

    pub fn tick(&self) {
        unsafe { kwe_engine_tick(self.engine) };
    }

    pub fn load(&self, wasm: &[u8]) -> Result<Component, Failure> {
        let (mut component, mut error) = (null(), null_mut());
        let wasm = kwe_slice::of(wasm);
        match unsafe { kwe_component_get(self.engine, wasm, null(), &mut component, &mut error) } {
            OK => Ok(Component(component)),
            code => Err(failure(code, error)),
        }
    }

    pub fn refusal(&self, wasm: &[u8]) -> Failure {
        match self.load(wasm) {
            Ok(_) => panic!("the component was accepted"),
            Err(failure) => failure,
        }
    }

    /// A process of the guest, ready for its first poll.
    pub fn process(&self, wasm: &[u8]) -> Process {
        self.process_with(wasm, Script::default(), 0)
    }

    pub fn process_with(&self, wasm: &[u8], script: Script, memory_bytes: u64) -> Process {
        self.load(wasm).unwrap_or_else(|(_, text)| panic!("{text}")).process(script, memory_bytes)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let stats = self.stats();
        let used = (stats.processes, stats.instances, stats.memories, stats.stacks);
        unsafe { kwe_engine_delete(self.engine) };
        if !std::thread::panicking() {
            assert_eq!(used, (0, 0, 0, 0), "everything was given back");
        }
    }
}

/// The node's clock: ticks from a thread of its own while it lives.
pub struct Ticker(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Ticker {
    pub fn start(node: &Node) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, engine) = (stop.clone(), node.engine as usize);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                unsafe { kwe_engine_tick(engine as *mut EngineHandle) };
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        let _ = self.1.take().map(JoinHandle::join);
    }
}

/// One reference to a component.
pub struct Component(*const CodeHandle);

unsafe impl Send for Component {}

impl Component {
    pub fn standard(&self) -> u32 {
        let mut info = kwe_component_info {
            struct_size: size_of::<kwe_component_info>() as u32,
            ..Default::default()
        };
        unsafe { kwe_component_info_get(self.0, &mut info) };
        assert!(info.image_bytes > 0);
        info.standard
    }

    pub fn process(&self, script: Script, memory_bytes: u64) -> Process {
        self.process_within(script, kwe_limits { memory_bytes, ..Default::default() })
    }

    pub fn process_within(&self, script: Script, limits: kwe_limits) -> Process {
        let script = Box::into_raw(Box::new(script));
        let limits = kwe_limits { struct_size: size_of::<kwe_limits>() as u32, ..limits };
        let (mut handle, our) = (null_mut(), kwe_slice::of(b"fake.os@guest:tests:sys"));
        let made = unsafe {
            kwe_process_new(
                self.0,
                script as u64,
                script.cast(),
                our,
                &limits,
                &mut handle,
                null_mut(),
            )
        };
        assert_eq!(made, OK);
        Process { handle, script }
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        unsafe { kwe_component_unref(self.0) };
    }
}

pub struct Process {
    pub handle: *mut ProcessHandle,
    script: *mut Script,
}

/// How a process ended, in owned values.
#[derive(Debug)]
pub struct Exit {
    pub kind: i32,
    pub code: i32,
    pub text: String,
    pub functions: Vec<String>,
}

impl Process {
    pub fn script(&mut self) -> &mut Script {
        unsafe { &mut *self.script }
    }

    pub fn poll(&mut self) -> c_int {
        unsafe { kwe_process_poll(self.handle) }
    }

    pub fn kill(&self) {
        unsafe { kwe_process_kill(self.handle) };
    }

    pub fn memory_bytes(&self) -> u64 {
        let mut usage =
            kwe_usage { struct_size: size_of::<kwe_usage>() as u32, ..Default::default() };
        unsafe { kwe_process_usage(self.handle, &mut usage) };
        usage.memory_bytes
    }

    pub fn exit(&self) -> Exit {
        let exit = unsafe { kwe_process_exit(self.handle).as_ref() }.expect("it has ended");
        let frames = unsafe { array(exit.frames, exit.nframes) };
        Exit {
            kind: exit.kind,
            code: exit.code,
            text: unsafe { exit.text.text() }.into(),
            functions: frames.iter().map(|frame| unsafe { frame.function.text() }.into()).collect(),
        }
    }

    /// Polls until the process ends.
    pub fn run(&mut self, node: &Node) -> Exit {
        let _ticker = Ticker::start(node);
        for _ in 0..100_000 {
            if self.poll() == P_DONE {
                return self.exit();
            }
        }
        panic!("still not done; calls: {:?}", self.script().calls);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        unsafe {
            let calls = (*self.script).calls.len();
            (*self.script).deleted = true;
            kwe_process_delete(self.handle);
            assert_eq!((*self.script).calls.len(), calls, "deletion calls nothing back");
            drop(Box::from_raw(self.script)); // The one release of the context.
        }
    }
}

// -------------------------------------------------------------------------------------------------

/// The tree's WIT packages.
pub fn wit(dir: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit").join(dir)
}

/// A component around a core module in text, of the world of one version.
///
/// The module has to export `memory`, `cabi_realloc` and `init`; `bump` below gives it the first
/// two.
pub fn guest_of(dir: &str, world: &str, core: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit(dir)).expect("the WIT of the tree");
    let world = resolve.select_world(&[package], Some(world)).expect("its world");
    let mut module = wat::parse_str(core).unwrap_or_else(|error| panic!("{error}\n{core}"));
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
    )
    .expect("metadata");
    let encoder = wit_component::ComponentEncoder::default().module(&module).expect("a module");
    encoder.validate(true).encode().unwrap_or_else(|error| panic!("{error:#}\n{core}"))
}

/// Of the newest version: imports and functions of a module, in text.
pub fn guest(imports: &str, body: &str) -> Vec<u8> {
    guest_of("hyperware-1.0.0", "process-v1", &module(imports, body))
}

/// A core module with memory and a bump allocator, around `imports` and `body`.
pub fn module(imports: &str, body: &str) -> String {
    format!(
        r#"(module
            {imports}
            (memory (export "memory") 2)
            (global $top (mut i32) (i32.const 4096))
            (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $top (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
                global.get $top
                (global.set $top (i32.add (global.get $top) (local.get 3))))
            {body})"#
    )
}

/// A component in text without any import, whose `init` runs `body` (a core module's items; `init`
/// takes two `i32`).
pub fn bare(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
                {body})
            (core instance $i (instantiate $m))
            (func (export "init") (param "our" string)
                (canon lift (core func $i "init") (memory $i "memory") (realloc (func $i "cabi_realloc")))))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// An empty directory of its own, deleted when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kwe-{}-{name}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
