//! What a store carries, and the three ways a guest's call reaches the host: at once, suspended, or
//! not at all.

use std::ffi::c_int;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Poll, Wake};

use wasmtime::{Result, StoreContextMut};

use crate::abi::{self, Ctx, kwe_host};
use crate::engine::Core;
use crate::process::Limits;
use crate::wasi::Wasi;

/// Why a call did not come back, other than a trap of the guest.
#[derive(Debug)]
pub enum Stop {
    Killed,
    Fault(String),
    Exit(i32),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Killed => write!(f, "killed"),
            Stop::Fault(text) => write!(f, "{text}"),
            Stop::Exit(code) => write!(f, "exit {code}"),
        }
    }
}

impl std::error::Error for Stop {}

/// The part of a process that other threads may touch while it runs.
pub struct Control {
    pub core: Arc<Core>,
    pub pid: u64,
    /// `KILL` and the armed test panics, so that the common case is one load.
    flags: AtomicU32,
    pub polling: AtomicBool,
    pub woken: AtomicBool,
    /// Bytes of all memories, for `kwe_process_usage`.
    pub memory: AtomicU64,
}

const KILL: u32 = 1;
fn panic_flag(place: c_int) -> u32 {
    1 << place
}

impl Control {
    pub fn new(core: Arc<Core>, pid: u64) -> Self {
        Self {
            core,
            pid,
            flags: AtomicU32::new(0),
            polling: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            memory: AtomicU64::new(0),
        }
    }

    pub fn kill(&self) {
        self.flags.fetch_or(KILL, Ordering::Release);
        self.core.wake(self.pid);
    }

    pub fn arm_panic(&self, place: c_int) {
        self.flags.fetch_or(panic_flag(place), Ordering::Release);
    }

    /// Fails if the process was killed; panics if a test asked for it at `place`.
    pub fn check(&self, place: c_int) -> Result<()> {
        match self.flags.load(Ordering::Acquire) {
            0 => Ok(()),
            flags => self.interrupted(flags, place),
        }
    }

    #[cold]
    fn interrupted(&self, flags: u32, place: c_int) -> Result<()> {
        if flags & panic_flag(place) != 0 {
            self.flags.fetch_and(!panic_flag(place), Ordering::Release);
            panic!("panic asked for by a test at place {place}");
        }
        if flags & KILL != 0 {
            return Err(Stop::Killed.into());
        }
        Ok(())
    }
}

impl Wake for Control {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// A wake during a poll is the guest's own yield; the poll reports it.
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        if !self.polling.load(Ordering::Acquire) {
            self.core.wake(self.pid);
        }
    }
}

/// The data of a store.
pub struct Host {
    pub control: Arc<Control>,
    pub ctx: Ctx,
    pub limits: Limits,
    pub wasi: Wasi,
}

// SAFETY: `ctx` is only handed back to callbacks, which expect changing threads (kwe.h).
unsafe impl Send for Host {}
// SAFETY: nothing is reached through `&Host` but atomics and the table of callbacks.
unsafe impl Sync for Host {}

impl Host {
    pub fn table(&self) -> &kwe_host {
        &self.control.core.table
    }

    /// Asks the host once. True: it is pending.
    fn ask(&self, call: impl FnOnce(&kwe_host, Ctx) -> c_int) -> Result<bool> {
        self.control.check(abi::PANIC_IN_CALLBACK)?;
        match call(self.table(), self.ctx) {
            abi::READY => Ok(false),
            abi::PENDING => Ok(true),
            _ => Err(self.fault()),
        }
    }

    /// The error a callback has just reported.
    #[cold]
    pub fn fault(&self) -> wasmtime::Error {
        // SAFETY: the table's contract: valid until the next callback; copied here.
        let text = unsafe { (self.table().fault_text)(self.ctx).bytes() };
        Stop::Fault(String::from_utf8_lossy(text).into_owned()).into()
    }
}

/// Carries raw pointers over a suspension. They lead into memory that the host keeps (E-6), never
/// into the guest's.
pub struct Pinned<T>(T);

// SAFETY: the host pins what its callbacks returned, whatever thread polls next (kwe.h).
unsafe impl<T> Send for Pinned<T> {}

impl<T> Pinned<T> {
    fn get(&mut self) -> &mut T {
        &mut self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A call that never suspends. Pending means "done, but let others run soon".
pub fn call(
    cx: &mut StoreContextMut<'_, Host>,
    call: impl FnOnce(&kwe_host, Ctx) -> c_int,
) -> Result<()> {
    let pending = cx.data().ask(call)?;
    give_way_if(cx, pending);
    Ok(())
}

/// Ends the guest's slice at its next check.
pub fn give_way_if(cx: &mut StoreContextMut<'_, Host>, pending: bool) {
    if pending {
        cx.set_epoch_deadline(0);
    }
}

/// The first call of an operation that may suspend: while the guest's arguments can still be read.
pub fn begin<R: Default>(
    host: &Host,
    call: impl FnOnce(&kwe_host, Ctx, &mut R) -> c_int,
) -> Result<(bool, Pinned<R>)> {
    let mut out = Pinned(R::default());
    let pending = host.ask(|table, ctx| call(table, ctx, out.get()))?;
    Ok((pending, out))
}

/// The rest of an operation: suspends the guest until the host has an answer.
pub async fn finish<R>(
    cx: &mut StoreContextMut<'_, Host>,
    first: Result<(bool, Pinned<R>)>,
    again: impl Fn(&kwe_host, Ctx, &mut R) -> c_int + Send,
) -> Result<Pinned<R>> {
    let (pending, mut out) = first?;
    if pending {
        let mut just_asked = true;
        poll_fn(|_| {
            if std::mem::take(&mut just_asked) {
                return Poll::Pending;
            }
            match cx.data().ask(|table, ctx| again(table, ctx, out.get())) {
                Ok(true) => Poll::Pending,
                Ok(false) => Poll::Ready(Ok(())),
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await?;
        // A guest that has waited gets a fresh slice, or it would yield at its first loop after
        // every message.
        let slice = cx.data().control.core.slice_ticks;
        cx.set_epoch_deadline(slice);
    }
    Ok(out)
}
