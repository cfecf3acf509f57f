//! Errors that go to the caller of `kwe.h`, and the guard that no panic passes (E-17).

use std::any::Any;
use std::cell::Cell;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::abi::{self, kwe_host};
use crate::engine::log;

/// A `kwe_error`: code and text.
#[derive(Debug, Clone)]
pub struct Error {
    pub code: c_int,
    pub text: String,
}

impl Error {
    pub fn new(code: c_int, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

thread_local! {
    /// The callbacks of the engine this thread is inside of: where a panic is reported.
    static INSIDE: Cell<Option<kwe_host>> = const { Cell::new(None) };
}

/// Runs `body`; a panic is logged with its place and becomes `Err` with its message.
pub fn guarded<R>(table: Option<&kwe_host>, body: impl FnOnce() -> R) -> Result<R, String> {
    report_panics();
    let before = INSIDE.replace(table.copied());
    // What `body` touched is not used again after a panic: the process is poisoned, a component is
    // dropped.
    let result = catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(before);
    result.map_err(panic_text)
}

/// The message of a panic.
pub fn panic_text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().unwrap_or(&"no message").to_string(),
    }
}

/// Sends panics inside the library to the node's log; all others go where they went before.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match INSIDE.get() {
            Some(table) => {
                log(&table, abi::LOG_ERROR, &format!("engine_panicked {info}").replace('\n', " "))
            }
            None => before(info),
        }));
    });
}
