//! The `standard` interface, registered once for each of its four names (K-213, K-218, E-2).

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::ptr::null;

use wasmtime::component::{
    ComponentNamedList, ComponentType, Lift, Linker, LinkerInstance, Lower, WasmList, WasmStr,
};
use wasmtime::{AsContext, Result, StoreContextMut};

use crate::abi::*;
use crate::host::{Host, Pinned, begin, call, finish, give_way_if};
use crate::types::*;

/// Which functions the linker knows, by name of the instance: what a component that does not fit is
/// compared with.
pub type Names = BTreeMap<String, Vec<String>>;

/// One instance of the linker under construction.
pub struct Face<'a> {
    instance: LinkerInstance<'a, Host>,
    names: &'a mut Vec<String>,
}

/// A host function's future, as the linker wants it.
pub type Answer<'a, R> = Box<dyn Future<Output = Result<R>> + Send + 'a>;

impl<'a> Face<'a> {
    pub fn new(linker: &'a mut Linker<Host>, names: &'a mut Names, name: &str) -> Result<Self> {
        Ok(Self { instance: linker.instance(name)?, names: names.entry(name.into()).or_default() })
    }

    pub fn instance(&mut self) -> &mut LinkerInstance<'a, Host> {
        &mut self.instance
    }

    pub fn note(&mut self, name: &str) {
        self.names.push(name.into());
    }

    /// A function that never suspends.
    pub fn at_once<P, R>(
        &mut self,
        name: &str,
        f: impl Fn(StoreContextMut<'_, Host>, P) -> Result<R> + Send + Sync + 'static,
    ) -> Result<()>
    where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentNamedList + Lower + 'static,
    {
        self.note(name);
        self.instance.func_wrap(name, f)
    }

    /// A function that may suspend its guest.
    pub fn waiting<P, R>(
        &mut self,
        name: &str,
        f: impl Fn(StoreContextMut<'_, Host>, P) -> Answer<'_, R> + Send + Sync + 'static,
    ) -> Result<()>
    where
        P: ComponentNamedList + Lift + 'static,
        R: ComponentNamedList + Lower + 'static,
    {
        self.note(name);
        self.instance.func_wrap_async(name, f)
    }
}

/// What differs between the versions (K-219, K-220).
trait Version {
    type SendError: ComponentType + Lower + FromHost<kwe_recv> + 'static;
    type Grant: Grant;
    /// Whether `our`, `has-blob` and `last-blob` exist.
    const NEWEST: bool;
}

struct V07;
impl Version for V07 {
    type SendError = SendErrorOut07;
    type Grant = ProcessIdIn;
    const NEWEST: bool = false;
}

struct V08;
impl Version for V08 {
    type SendError = SendErrorOut;
    type Grant = ProcessIdIn;
    const NEWEST: bool = false;
}

struct V10;
impl Version for V10 {
    type SendError = SendErrorOut;
    type Grant = (ProcessIdIn, WasmStr);
    const NEWEST: bool = true;
}

/// The names under which the interface is registered, and their bits in `kwe_component_info`.
pub const STANDARD: [(&str, u32); 4] = [
    ("kinode:process/standard@0.7.0", STANDARD_KINODE_0_7),
    ("kinode:process/standard@0.8.0", STANDARD_KINODE_0_8),
    ("kinode:process/standard@1.0.0", STANDARD_KINODE_1_0),
    ("hyperware:process/standard@1.0.0", STANDARD_HYPERWARE_1_0),
];

pub fn register(linker: &mut Linker<Host>, names: &mut Names) -> Result<()> {
    version::<V07>(&mut Face::new(linker, names, STANDARD[0].0)?)?;
    version::<V08>(&mut Face::new(linker, names, STANDARD[1].0)?)?;
    version::<V10>(&mut Face::new(linker, names, STANDARD[2].0)?)?;
    version::<V10>(&mut Face::new(linker, names, STANDARD[3].0)?)
}

fn version<V: Version>(face: &mut Face<'_>) -> Result<()> {
    process(face, V::NEWEST)?;
    state_and_capabilities(face)?;
    spawn::<V>(face)?;
    blobs(face, V::NEWEST)?;
    sends(face)?;
    messages::<V>(face)
}

fn process(face: &mut Face<'_>, newest: bool) -> Result<()> {
    face.at_once("print-to-terminal", |mut cx, (verbosity, text): (u8, WasmStr)| {
        let mut views = Views::new(cx.as_context());
        let text = views.text(&text)?;
        let pending = begin::<()>(views.host(), |host, ctx, _| unsafe {
            (host.print)(ctx, verbosity, text)
        })?
        .0;
        give_way_if(&mut cx, pending);
        Ok(())
    })?;
    if newest {
        face.at_once("our", |mut cx, (): ()| {
            let mut out = kwe_address::default();
            call(&mut cx, |host, ctx| unsafe { (host.our)(ctx, &mut out) })?;
            // SAFETY: the host has just filled it and keeps it (E-6).
            Ok((unsafe { AddressOut::from_host(&out) },))
        })?;
    }
    face.at_once("get-on-exit", |mut cx, (): ()| {
        let mut out = kwe_on_exit::default();
        call(&mut cx, |host, ctx| unsafe { (host.get_on_exit)(ctx, &mut out) })?;
        // SAFETY: the host has just filled it and keeps it (E-6).
        Ok((unsafe { OnExitOut::from_host(&out) },))
    })?;
    face.at_once("set-on-exit", |mut cx, (on_exit,): (OnExitIn,)| {
        let mut views = Views::new(cx.as_context());
        let on_exit = views.on_exit(&on_exit)?;
        let pending =
            begin::<()>(views.host(), |host, ctx, _| unsafe { (host.set_on_exit)(ctx, &on_exit) })?
                .0;
        give_way_if(&mut cx, pending);
        Ok(())
    })
}

fn state_and_capabilities(face: &mut Face<'_>) -> Result<()> {
    face.waiting("get-state", |mut cx, (): ()| {
        Box::new(async move {
            type Out = (kwe_slice, c_int);
            let first = begin(cx.data(), |host, ctx, out: &mut Out| unsafe {
                (host.get_state)(ctx, 0, &mut out.0, &mut out.1)
            });
            let out = finish(&mut cx, first, |host, ctx, out| unsafe {
                (host.get_state)(ctx, 1, &mut out.0, &mut out.1)
            });
            let (bytes, present) = out.await?.into_inner();
            // SAFETY: the host has just filled it and keeps it (E-6).
            let state: Option<&'static [u8]> = (present != 0).then(|| unsafe { bytes.bytes() });
            Ok((state,))
        })
    })?;
    face.waiting("set-state", |mut cx, (bytes,): (WasmList<u8>,)| {
        let views = Views::new(cx.as_context());
        let bytes = views.bytes(&bytes);
        let first = begin(views.host(), |host, ctx, _: &mut ()| unsafe {
            (host.set_state)(ctx, 0, &bytes)
        });
        Box::new(async move {
            let again =
                |host: &kwe_host, ctx, _: &mut ()| unsafe { (host.set_state)(ctx, 1, null()) };
            finish(&mut cx, first, again).await.map(Pinned::into_inner)
        })
    })?;
    face.waiting("clear-state", |mut cx, (): ()| {
        Box::new(async move {
            let first =
                begin(cx.data(), |host, ctx, _: &mut ()| unsafe { (host.clear_state)(ctx, 0) });
            let again = |host: &kwe_host, ctx, _: &mut ()| unsafe { (host.clear_state)(ctx, 1) };
            finish(&mut cx, first, again).await.map(Pinned::into_inner)
        })
    })?;
    change_capabilities(face, "save-capabilities", 0)?;
    change_capabilities(face, "drop-capabilities", 1)?;
    face.waiting("our-capabilities", |mut cx, (): ()| {
        Box::new(async move {
            let first = begin(cx.data(), |host, ctx, out: &mut Caps| unsafe {
                (host.our_caps)(ctx, 0, &mut out.ptr, &mut out.n)
            });
            let out = finish(&mut cx, first, |host, ctx, out| unsafe {
                (host.our_caps)(ctx, 1, &mut out.ptr, &mut out.n)
            });
            let caps = out.await?.into_inner();
            // SAFETY: the host has just filled it and keeps it (E-6).
            Ok((unsafe { list::<kwe_cap, CapOut>(caps.ptr, caps.n) },))
        })
    })
}

struct Caps {
    ptr: *const kwe_cap,
    n: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { ptr: null(), n: 0 }
    }
}

fn change_capabilities(face: &mut Face<'_>, name: &str, drop: c_int) -> Result<()> {
    face.waiting(name, move |mut cx, (caps,): (Vec<CapIn>,)| {
        let mut views = Views::new(cx.as_context());
        let first = views.caps(&caps).and_then(|(ptr, n)| {
            begin(views.host(), |host, ctx, _: &mut ()| unsafe {
                (host.change_caps)(ctx, 0, drop, ptr, n)
            })
        });
        Box::new(async move {
            let again = |host: &kwe_host, ctx, _: &mut ()| unsafe {
                (host.change_caps)(ctx, 1, drop, null(), 0)
            };
            finish(&mut cx, first, again).await.map(Pinned::into_inner)
        })
    })
}

type SpawnIn<G> = (Option<WasmStr>, WasmStr, OnExitIn, Vec<CapIn>, Vec<G>, bool);
type SpawnOut = (kwe_procid, c_int);

fn spawn<V: Version>(face: &mut Face<'_>) -> Result<()> {
    face.waiting("spawn", |mut cx, arguments: SpawnIn<V::Grant>| {
        let first = begin_spawn(&cx, &arguments);
        Box::new(async move {
            let out = finish(&mut cx, first, |host, ctx, out| unsafe {
                (host.spawn)(ctx, 1, null(), &mut out.0, &mut out.1)
            });
            let (id, error) = out.await?.into_inner();
            // SAFETY: the host has just filled it and keeps it (E-6).
            Ok((unsafe { spawned(&id, error) },))
        })
    })
}

fn begin_spawn<G: Grant>(
    cx: &StoreContextMut<'_, Host>,
    (name, wasm_path, on_exit, request_caps, grants, public): &SpawnIn<G>,
) -> Result<(bool, Pinned<SpawnOut>)> {
    let mut views = Views::new(cx.as_context());
    let (name, has_name) = views.optional_text(name)?;
    let (request_caps, nrequest) = views.caps(request_caps)?;
    let grants: Vec<kwe_grant> =
        grants.iter().map(|grant| grant.view(&mut views)).collect::<Result<_>>()?;
    let spawn = kwe_spawn {
        name,
        has_name,
        is_public: (*public).into(),
        wasm_path: views.text(wasm_path)?,
        on_exit: views.on_exit(on_exit)?,
        request_caps,
        nrequest,
        grants: grants.as_ptr(),
        ngrants: grants.len(),
    };
    begin(views.host(), |host, ctx, out: &mut SpawnOut| unsafe {
        (host.spawn)(ctx, 0, &spawn, &mut out.0, &mut out.1)
    })
}

fn blobs(face: &mut Face<'_>, newest: bool) -> Result<()> {
    get_blob(face, "get-blob", 0)?;
    if newest {
        get_blob(face, "last-blob", 1)?;
        face.at_once("has-blob", |mut cx, (): ()| {
            let mut out: c_int = 0;
            call(&mut cx, |host, ctx| unsafe { (host.has_blob)(ctx, &mut out) })?;
            Ok((out != 0,))
        })?;
    }
    Ok(())
}

fn get_blob(face: &mut Face<'_>, name: &str, last: c_int) -> Result<()> {
    face.waiting(name, move |mut cx, (): ()| {
        Box::new(async move {
            let first = begin(cx.data(), |host, ctx, out: &mut kwe_blob| unsafe {
                (host.get_blob)(ctx, 0, last, out)
            });
            let again = |host: &kwe_host, ctx, out: &mut kwe_blob| unsafe {
                (host.get_blob)(ctx, 1, last, out)
            };
            let blob = finish(&mut cx, first, again).await?.into_inner();
            // SAFETY: the host has just filled it and keeps it (E-6).
            Ok((unsafe { Option::<BlobOut>::from_host(&blob) },))
        })
    })
}

fn sends(face: &mut Face<'_>) -> Result<()> {
    face.at_once("send-request", |cx, request: SendIn| send_all(cx, &[request]))?;
    face.at_once("send-requests", |cx, (requests,): (Vec<SendIn>,)| send_all(cx, &requests))?;
    face.at_once("send-response", |mut cx, (response, blob): (ResponseIn, Option<BlobIn>)| {
        let mut views = Views::new(cx.as_context());
        let (response, blob) = (views.response(&response)?, views.blob(&blob)?);
        let pending = begin::<()>(views.host(), |host, ctx, _| unsafe {
            (host.send_response)(ctx, &response, &blob)
        })?
        .0;
        give_way_if(&mut cx, pending);
        Ok(())
    })
}

fn send_all(mut cx: StoreContextMut<'_, Host>, requests: &[SendIn]) -> Result<()> {
    let mut views = Views::new(cx.as_context());
    let view = |views: &mut Views<'_>, (target, request, context, blob): &SendIn| {
        views.send(target, request, context.as_ref(), blob)
    };
    let pending = match requests {
        // The common case needs no allocation.
        [one] => {
            let send = view(&mut views, one)?;
            begin::<()>(views.host(), |host, ctx, _| unsafe { (host.send_requests)(ctx, &send, 1) })
        }
        many => {
            let sends: Vec<kwe_send> =
                many.iter().map(|one| view(&mut views, one)).collect::<Result<_>>()?;
            begin::<()>(views.host(), |host, ctx, _| unsafe {
                (host.send_requests)(ctx, sends.as_ptr(), sends.len())
            })
        }
    }?
    .0;
    give_way_if(&mut cx, pending);
    Ok(())
}

fn messages<V: Version>(face: &mut Face<'_>) -> Result<()> {
    face.waiting("receive", |mut cx, (): ()| {
        Box::new(async move {
            cx.data_mut().limits.waits();
            let first = begin(cx.data(), |host, ctx, out: &mut kwe_recv| unsafe {
                (host.receive)(ctx, 0, out)
            });
            let out =
                finish(&mut cx, first, |host, ctx, out| unsafe { (host.receive)(ctx, 1, out) });
            let out = out.await?.into_inner();
            // SAFETY: the host has just filled it and keeps it (E-6).
            Ok((unsafe { received::<V::SendError>(&out) },))
        })
    })?;
    face.waiting(
        "send-and-await-response",
        |mut cx, (target, request, blob): (AddressIn, RequestIn, Option<BlobIn>)| {
            cx.data_mut().limits.waits();
            let mut views = Views::new(cx.as_context());
            let first = views.send(&target, &request, None, &blob).and_then(|send| {
                begin(views.host(), |host, ctx, out: &mut kwe_recv| unsafe {
                    (host.send_and_await)(ctx, 0, &send, out)
                })
            });
            Box::new(async move {
                let out = finish(&mut cx, first, |host, ctx, out| unsafe {
                    (host.send_and_await)(ctx, 1, null(), out)
                });
                let out = out.await?.into_inner();
                // SAFETY: the host has just filled it and keeps it (E-6).
                Ok((unsafe { awaited::<V::SendError>(&out) },))
            })
        },
    )
}
