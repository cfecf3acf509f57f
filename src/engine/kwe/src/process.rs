//! One process: a future that owns its store, and what is known of it when it has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use wasmtime::{
    AsContextMut, PoolConcurrencyLimitError, ResourceLimiter, Result, Store, StoreContextMut, Trap,
    UpdateDeadline, WasmBacktrace,
};

use crate::abi::{self, Ctx, kwe_exit, kwe_frame, kwe_limits, kwe_slice};
use crate::code::Code;
use crate::engine::{HANDLES_MAX, INSTANCES_PER_PROCESS, TABLE_ELEMENTS_MAX, TABLES_PER_PROCESS};
use crate::error::guarded;
use crate::host::{Control, Host, Stop};
use crate::wasi::Wasi;

/// The bounds of a process and what it uses of them.
pub struct Limits {
    control: Arc<Control>,
    memory_bytes: usize,
    table_elements: usize,
    /// A growth was refused since the guest last waited: what ends it now, ends it for lack of
    /// memory. A smaller growth that is granted changes nothing, because an allocator that gives up
    /// still needs a little for its last words; a guest that goes on to wait has coped.
    refused: bool,
    /// What the last growth that was granted added, until it is known to have worked.
    granted: u64,
}

impl Limits {
    pub fn new(control: Arc<Control>, limits: &kwe_limits) -> Self {
        let most = control.core.settings.max_memory_bytes;
        let or =
            |value: usize, default: usize| if value == 0 { default } else { value.min(default) };
        Self {
            control,
            memory_bytes: or(limits.memory_bytes as usize, most),
            table_elements: or(limits.table_elements as usize, TABLE_ELEMENTS_MAX),
            refused: false,
            granted: 0,
        }
    }

    /// The guest begins to wait: for a message, an answer or a point in time.
    pub fn waits(&mut self) {
        self.refused = false;
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let total = &self.control.memory;
        let more = (desired - current) as u64;
        let after = total.load(Ordering::Relaxed).saturating_add(more);
        let fits = after <= self.memory_bytes as u64 && maximum.is_none_or(|most| desired <= most);
        self.refused |= !fits;
        self.granted = if fits { more } else { 0 };
        total.fetch_add(self.granted, Ordering::Relaxed);
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.refused = true;
        self.control.memory.fetch_sub(std::mem::take(&mut self.granted), Ordering::Relaxed);
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(desired <= self.table_elements)
    }

    fn instances(&self) -> usize {
        INSTANCES_PER_PROCESS
    }

    fn tables(&self) -> usize {
        TABLES_PER_PROCESS
    }
}

/// How a process ended. The store lives on until `kwe_process_delete`, so that its memory is given
/// back there and not inside the last poll.
struct Outcome {
    exit: Exit,
    #[allow(dead_code)] // Held for its destructor.
    store: Option<Store<Host>>,
}

#[derive(Default)]
pub struct Exit {
    kind: i32,
    code: i32,
    text: String,
    frames: Vec<Frame>,
}

struct Frame {
    module: String,
    function: String,
    func_index: u32,
    func_offset: u64,
    module_offset: u64,
}

/// What is behind a `kwe_process`, apart from its `Control`.
pub struct Process {
    control: Arc<Control>,
    waker: Waker,
    life: Life,
}

type Future = Pin<Box<dyn std::future::Future<Output = Outcome> + Send>>;

enum Life {
    Running(Future),
    Ended(Box<Ended>),
}

/// Owned texts, and the views of them that C++ reads.
struct Ended {
    /// A killed guest's stack and store, unwound by `kwe_process_delete`.
    #[allow(dead_code)]
    rest: Option<Future>,
    #[allow(dead_code)] // Held for its destructor, and for what `view` leads to.
    outcome: Outcome,
    #[allow(dead_code)]
    frames: Vec<kwe_frame>,
    view: kwe_exit,
}

// SAFETY: the raw pointers of `Ended` lead into its own heap blocks.
unsafe impl Send for Process {}

impl Process {
    pub fn new(
        code: Arc<Code>,
        control: Arc<Control>,
        ctx: Ctx,
        our: String,
        limits: &kwe_limits,
    ) -> Self {
        let host = Host {
            ctx,
            limits: Limits::new(control.clone(), limits),
            control: control.clone(),
            wasi: Wasi::new(limits),
        };
        let waker = Waker::from(control.clone());
        Self { control, waker, life: Life::Running(Box::pin(run(code, host, our))) }
    }

    /// Runs the guest until it waits, yields or ends: a `P_` value.
    pub fn poll(&mut self) -> std::ffi::c_int {
        let Life::Running(future) = &mut self.life else { return abi::P_DONE };
        let control = &self.control;
        control.woken.store(false, Ordering::Relaxed);
        control.polling.store(true, Ordering::Release);
        let polled = guarded(Some(&control.core.table), || {
            match control.check(abi::PANIC_IN_POLL) {
                Ok(()) => future.as_mut().poll(&mut Context::from_waker(&self.waker)),
                // Nothing of a killed guest runs again, neither its first nor its next instruction.
                Err(killed) => {
                    Poll::Ready(Outcome { exit: Exit::of_error(&killed, false), store: None })
                }
            }
        });
        control.polling.store(false, Ordering::Release);
        let outcome = match polled {
            Ok(Poll::Pending) if control.woken.load(Ordering::Acquire) => return abi::P_YIELDED,
            Ok(Poll::Pending) => return abi::P_BLOCKED,
            Ok(Poll::Ready(outcome)) => outcome,
            Err(text) => Outcome {
                exit: Exit {
                    kind: abi::EXIT_PANICKED,
                    text: format!("panic: {text}"),
                    ..Exit::default()
                },
                store: None,
            },
        };
        self.end(outcome);
        abi::P_DONE
    }

    fn end(&mut self, outcome: Outcome) {
        let frames: Vec<kwe_frame> = outcome.exit.frames.iter().map(Frame::view).collect();
        let view = kwe_exit {
            kind: outcome.exit.kind,
            code: outcome.exit.code,
            text: kwe_slice::of(outcome.exit.text.as_bytes()),
            frames: frames.as_ptr(),
            nframes: frames.len(),
        };
        let ended = Life::Ended(Box::new(Ended { rest: None, outcome, frames, view }));
        let before = std::mem::replace(&mut self.life, ended);
        if let (Life::Running(future), Life::Ended(ended)) = (before, &mut self.life) {
            ended.rest = Some(future);
        }
    }

    pub fn exit(&self) -> Option<&kwe_exit> {
        match &self.life {
            Life::Ended(ended) => Some(&ended.view),
            Life::Running(_) => None,
        }
    }
}

/// A process from its first poll to its end.
async fn run(code: Arc<Code>, host: Host, our: String) -> Outcome {
    let core = code.core.clone();
    let mut store = match Store::try_new(&core.engine, host) {
        Ok(store) => store,
        Err(error) => return Outcome { exit: Exit::of_error(&error, true), store: None },
    };
    store.limiter(|host| &mut host.limits);
    store.set_hostcall_fuel(core.settings.hostcall_bytes);
    store.set_max_component_handles(HANDLES_MAX);
    store.set_epoch_deadline(core.slice_ticks);
    store.epoch_deadline_callback(on_epoch);
    let mut started = false;
    let result = init(&code, &mut store, &our, &mut started).await;
    let exit = match result {
        Ok(()) => Exit::default(),
        Err(error) => {
            let mut exit = Exit::of_error(&error, !started);
            let ended_itself = matches!(exit.kind, abi::EXIT_TRAPPED | abi::EXIT_START_FAILED)
                || exit.kind == abi::EXIT_EXITED && exit.code != 0;
            if store.data().limits.refused && ended_itself {
                let limit = store.data().limits.memory_bytes;
                exit.kind = abi::EXIT_MEMORY_LIMIT;
                exit.code = 0;
                exit.text = format!("out of memory: its limit is {limit} bytes ({})", exit.text);
            }
            exit
        }
    };
    Outcome { exit, store: Some(store) }
}

async fn init(code: &Code, store: &mut Store<Host>, our: &str, started: &mut bool) -> Result<()> {
    let instance = code.pre.instantiate_async(store.as_context_mut()).await?;
    *started = true;
    let init = instance.get_typed_func::<(&str,), ()>(store.as_context_mut(), &code.init)?;
    init.call_async(store.as_context_mut(), (our,)).await
}

/// The guest has used up its ticks: may it go on?
fn on_epoch(cx: StoreContextMut<'_, Host>) -> Result<UpdateDeadline> {
    let host = cx.data();
    host.control.check(abi::PANIC_IN_TICK)?;
    let slice = host.control.core.slice_ticks;
    // SAFETY: the table's contract; `on_tick` may run while a result is being lowered.
    match unsafe { (host.table().on_tick)(host.ctx) } {
        abi::TICK_CONTINUE => Ok(UpdateDeadline::Continue(1)),
        abi::TICK_YIELD => Ok(UpdateDeadline::Yield(slice)),
        abi::TICK_KILL => Err(Stop::Killed.into()),
        _ => Err(host.fault()),
    }
}

impl Exit {
    /// Order of precedence: killed, exit, fault, trap; a memory limit is put over the last ones by
    /// the caller.
    fn of_error(error: &wasmtime::Error, starting: bool) -> Self {
        let mut exit = match error.downcast_ref::<Stop>() {
            Some(Stop::Killed) => {
                Self { kind: abi::EXIT_KILLED, text: "killed".into(), ..Self::default() }
            }
            Some(Stop::Exit(code)) => {
                let text =
                    if *code == 0 { String::new() } else { format!("exit with status {code}") };
                Self { kind: abi::EXIT_EXITED, code: *code, text, ..Self::default() }
            }
            Some(Stop::Fault(text)) => {
                Self { kind: abi::EXIT_FAULTED, text: text.clone(), ..Self::default() }
            }
            None => Self::of_trap(error, starting),
        };
        if matches!(exit.kind, abi::EXIT_TRAPPED | abi::EXIT_FAULTED) {
            exit.frames = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        }
        exit
    }

    fn of_trap(error: &wasmtime::Error, starting: bool) -> Self {
        if let Some(trap) = error.downcast_ref::<Trap>() {
            let code = i32::from(*trap as u8);
            return Self {
                kind: abi::EXIT_TRAPPED,
                code,
                text: trap.to_string(),
                ..Self::default()
            };
        }
        // The root cause, because the outermost context is the backtrace.
        let text = error.root_cause().to_string().replace('\n', " ");
        if error.downcast_ref::<WasmBacktrace>().is_some() || !starting {
            return Self { kind: abi::EXIT_TRAPPED, code: -1, text, ..Self::default() };
        }
        let (code, text) = if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
            (abi::E_LIMIT, format!("no free slot in the engine's pool: {text}"))
        } else if text.contains("(os error ") {
            (abi::E_OS, text)
        } else {
            (abi::E_WASM, text)
        };
        Self { kind: abi::EXIT_START_FAILED, code, text, ..Self::default() }
    }
}

fn frames(trace: &WasmBacktrace) -> Vec<Frame> {
    let frame = |frame: &wasmtime::FrameInfo| Frame {
        module: frame.module().name().unwrap_or_default().into(),
        function: frame.func_name().map(demangled).unwrap_or_default(),
        func_index: frame.func_index(),
        func_offset: frame.func_offset().unwrap_or_default() as u64,
        module_offset: frame.module_offset().unwrap_or_default() as u64,
    };
    trace.frames().iter().map(frame).collect()
}

/// The name as its author wrote it, for Rust and C++.
fn demangled(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    let cpp = cpp_demangle::Symbol::new(name).ok().and_then(|symbol| symbol.demangle().ok());
    cpp.unwrap_or_else(|| name.into())
}

impl Frame {
    fn view(&self) -> kwe_frame {
        kwe_frame {
            module: kwe_slice::of(self.module.as_bytes()),
            function: kwe_slice::of(self.function.as_bytes()),
            func_index: self.func_index,
            func_offset: self.func_offset,
            module_offset: self.module_offset,
        }
    }
}
