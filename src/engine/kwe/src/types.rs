//! The values of the `standard` interfaces (K-217): what is lifted from a guest, as views of its
//! memory, and what is lowered into it, straight from the host's memory. One copy in each
//! direction, made by the canonical ABI (E-6).

use std::borrow::Cow;
use std::ffi::c_int;

use wasmtime::component::{ComponentType, Lift, Lower, WasmList, WasmStr};
use wasmtime::{AsContext, Result, StoreContext};

use crate::abi::*;
use crate::host::Host;

// ------------------------------------------------------------------------------------------ lifted

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct ProcessIdIn {
    #[component(name = "process-name")]
    process: WasmStr,
    #[component(name = "package-name")]
    package: WasmStr,
    #[component(name = "publisher-node")]
    publisher: WasmStr,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct AddressIn {
    node: WasmStr,
    process: ProcessIdIn,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct CapIn {
    issuer: AddressIn,
    params: WasmStr,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct BlobIn {
    mime: Option<WasmStr>,
    bytes: WasmList<u8>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct RequestIn {
    inherit: bool,
    #[component(name = "expects-response")]
    expects_response: Option<u64>,
    body: WasmList<u8>,
    metadata: Option<WasmStr>,
    capabilities: Vec<CapIn>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct ResponseIn {
    inherit: bool,
    body: WasmList<u8>,
    metadata: Option<WasmStr>,
    capabilities: Vec<CapIn>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub enum OnExitIn {
    #[component(name = "none")]
    None,
    #[component(name = "restart")]
    Restart,
    #[component(name = "requests")]
    Requests(Vec<(AddressIn, RequestIn, Option<BlobIn>)>),
}

pub type SendIn = (AddressIn, RequestIn, Option<WasmList<u8>>, Option<BlobIn>);

/// Turns lifted values into the structs of `kwe.h`. What it returns points into the guest's memory
/// or into itself, and is valid while it lives.
pub struct Views<'a> {
    cx: StoreContext<'a, Host>,
    texts: Vec<String>,
    caps: Vec<Vec<kwe_cap>>,
    sends: Vec<Vec<kwe_send>>,
}

impl<'a> Views<'a> {
    pub fn new(cx: StoreContext<'a, Host>) -> Self {
        Self { cx, texts: Vec::new(), caps: Vec::new(), sends: Vec::new() }
    }

    pub fn host(&self) -> &Host {
        self.cx.data()
    }

    pub fn bytes(&self, list: &WasmList<u8>) -> kwe_slice {
        kwe_slice::of(list.as_le_slice(self.cx.as_context()))
    }

    /// Fails, and so traps the guest, if the text is malformed.
    pub fn text(&mut self, text: &WasmStr) -> Result<kwe_slice> {
        match text.to_str(self.cx.as_context())? {
            Cow::Borrowed(text) => Ok(kwe_slice::of(text.as_bytes())),
            // A guest whose strings are UTF-16. The string's own buffer does not move with it.
            Cow::Owned(text) => {
                let view = kwe_slice::of(text.as_bytes());
                self.texts.push(text);
                Ok(view)
            }
        }
    }

    pub fn optional_text(&mut self, text: &Option<WasmStr>) -> Result<(kwe_slice, u8)> {
        match text {
            Some(text) => Ok((self.text(text)?, 1)),
            None => Ok((kwe_slice::default(), 0)),
        }
    }

    pub fn procid(&mut self, id: &ProcessIdIn) -> Result<kwe_procid> {
        Ok(kwe_procid {
            process: self.text(&id.process)?,
            package: self.text(&id.package)?,
            publisher: self.text(&id.publisher)?,
        })
    }

    pub fn address(&mut self, address: &AddressIn) -> Result<kwe_address> {
        Ok(kwe_address { node: self.text(&address.node)?, id: self.procid(&address.process)? })
    }

    pub fn caps(&mut self, caps: &[CapIn]) -> Result<(*const kwe_cap, usize)> {
        if caps.is_empty() {
            return Ok((std::ptr::null(), 0));
        }
        let mut views = Vec::with_capacity(caps.len());
        for cap in caps {
            let (issuer, params) = (self.address(&cap.issuer)?, self.text(&cap.params)?);
            views.push(kwe_cap { issuer, params });
        }
        let view = (views.as_ptr(), views.len());
        self.caps.push(views);
        Ok(view)
    }

    pub fn blob(&mut self, blob: &Option<BlobIn>) -> Result<kwe_blob> {
        let Some(blob) = blob else { return Ok(kwe_blob::default()) };
        let (mime, has_mime) = self.optional_text(&blob.mime)?;
        Ok(kwe_blob { bytes: self.bytes(&blob.bytes), mime, present: 1, has_mime })
    }

    pub fn request(&mut self, request: &RequestIn) -> Result<kwe_request> {
        let (metadata, has_metadata) = self.optional_text(&request.metadata)?;
        let (caps, ncaps) = self.caps(&request.capabilities)?;
        Ok(kwe_request {
            body: self.bytes(&request.body),
            metadata,
            caps,
            ncaps,
            expects_response: request.expects_response.unwrap_or(0),
            inherit: request.inherit.into(),
            has_expects: request.expects_response.is_some().into(),
            has_metadata,
        })
    }

    pub fn response(&mut self, response: &ResponseIn) -> Result<kwe_response> {
        let (metadata, has_metadata) = self.optional_text(&response.metadata)?;
        let (caps, ncaps) = self.caps(&response.capabilities)?;
        Ok(kwe_response {
            body: self.bytes(&response.body),
            metadata,
            caps,
            ncaps,
            inherit: response.inherit.into(),
            has_metadata,
        })
    }

    pub fn send(
        &mut self,
        target: &AddressIn,
        request: &RequestIn,
        context: Option<&WasmList<u8>>,
        blob: &Option<BlobIn>,
    ) -> Result<kwe_send> {
        Ok(kwe_send {
            target: self.address(target)?,
            request: self.request(request)?,
            blob: self.blob(blob)?,
            context: context.map(|list| self.bytes(list)).unwrap_or_default(),
            has_context: context.is_some().into(),
        })
    }

    pub fn on_exit(&mut self, on_exit: &OnExitIn) -> Result<kwe_on_exit> {
        let requests = match on_exit {
            OnExitIn::None => return Ok(kwe_on_exit { kind: 0, ..Default::default() }),
            OnExitIn::Restart => return Ok(kwe_on_exit { kind: 1, ..Default::default() }),
            OnExitIn::Requests(requests) => requests,
        };
        let mut sends = Vec::with_capacity(requests.len());
        for (target, request, blob) in requests {
            sends.push(self.send(target, request, None, blob)?);
        }
        let view = kwe_on_exit { kind: 2, sends: sends.as_ptr(), nsends: sends.len() };
        self.sends.push(sends);
        Ok(view)
    }
}

/// What `spawn` grants, by version of the interface (K-220).
pub trait Grant: Lift + Send + Sync + 'static {
    fn view(&self, views: &mut Views<'_>) -> Result<kwe_grant>;
}

impl Grant for ProcessIdIn {
    fn view(&self, views: &mut Views<'_>) -> Result<kwe_grant> {
        Ok(kwe_grant { to: views.procid(self)?, ..Default::default() })
    }
}

impl Grant for (ProcessIdIn, WasmStr) {
    fn view(&self, views: &mut Views<'_>) -> Result<kwe_grant> {
        Ok(kwe_grant { to: views.procid(&self.0)?, params: views.text(&self.1)?, has_params: 1 })
    }
}

// ------------------------------------------------------------------------------------------ lowere
//
// `'static` stands for "as long as the host pins it" (E-6). None of these values outlives the
// callback's contract: each is made after a callback has answered and lowered before the guest can
// make its next call.

type Bytes = &'static [u8];
type Text = &'static str;

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct ProcessIdOut {
    #[component(name = "process-name")]
    process: Text,
    #[component(name = "package-name")]
    package: Text,
    #[component(name = "publisher-node")]
    publisher: Text,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct AddressOut {
    node: Text,
    process: ProcessIdOut,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct CapOut {
    issuer: AddressOut,
    params: Text,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct BlobOut {
    mime: Option<Text>,
    bytes: Bytes,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct RequestOut {
    inherit: bool,
    #[component(name = "expects-response")]
    expects_response: Option<u64>,
    body: Bytes,
    metadata: Option<Text>,
    capabilities: Vec<CapOut>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct ResponseOut {
    inherit: bool,
    body: Bytes,
    metadata: Option<Text>,
    capabilities: Vec<CapOut>,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub enum MessageOut {
    #[component(name = "request")]
    Request(RequestOut),
    #[component(name = "response")]
    Response((ResponseOut, Option<Bytes>)),
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub enum OnExitOut {
    #[component(name = "none")]
    None,
    #[component(name = "restart")]
    Restart,
    #[component(name = "requests")]
    Requests(Vec<(AddressOut, RequestOut, Option<BlobOut>)>),
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub enum SendErrorKindOut {
    #[component(name = "offline")]
    Offline,
    #[component(name = "timeout")]
    Timeout,
}

/// `send-error` since 0.8.
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct SendErrorOut {
    kind: SendErrorKindOut,
    target: AddressOut,
    message: MessageOut,
    #[component(name = "lazy-load-blob")]
    blob: Option<BlobOut>,
}

/// `send-error` of 0.7, which does not say who was not reached (K-219).
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct SendErrorOut07 {
    kind: SendErrorKindOut,
    message: MessageOut,
    #[component(name = "lazy-load-blob")]
    blob: Option<BlobOut>,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub enum SpawnErrorOut {
    #[component(name = "name-taken")]
    NameTaken,
    #[component(name = "no-file-at-path")]
    NoFileAtPath,
}

/// A struct the host has filled, as a value for the guest.
///
/// # Safety Everything the host's struct leads to stays valid and unchanged until the value has
/// been lowered (E-6).
pub unsafe trait FromHost<H> {
    unsafe fn from_host(from: &H) -> Self;
}

/// Implements `FromHost`; inside the body, pointers are read under the promise of its contract.
macro_rules! from_host {
    ($($host:ty => $guest:ty, |$from:ident| $body:expr;)*) => {$(
        // SAFETY: the body reads what `from` leads to, as the trait's contract allows, and nothing
        // else.
        unsafe impl FromHost<$host> for $guest {
            unsafe fn from_host($from: &$host) -> Self {
                unsafe { $body }
            }
        }
    )*};
}

unsafe fn optional_text(text: kwe_slice, present: u8) -> Option<Text> {
    // SAFETY: passed on from the caller.
    (present != 0).then(|| unsafe { text.text() })
}

unsafe fn optional_bytes(bytes: kwe_slice, present: u8) -> Option<Bytes> {
    // SAFETY: passed on from the caller.
    (present != 0).then(|| unsafe { bytes.bytes() })
}

/// Values for all elements of an array the host has filled. Allocates only if there are some.
///
/// # Safety
/// As `FromHost`.
pub unsafe fn list<H: 'static, G: FromHost<H>>(ptr: *const H, n: usize) -> Vec<G> {
    // SAFETY: passed on from the caller.
    unsafe { array(ptr, n).iter().map(|item| G::from_host(item)).collect() }
}

from_host! {
    kwe_procid => ProcessIdOut, |id| ProcessIdOut {
        process: id.process.text(),
        package: id.package.text(),
        publisher: id.publisher.text(),
    };
    kwe_address => AddressOut, |address| AddressOut {
        node: address.node.text(),
        process: ProcessIdOut::from_host(&address.id),
    };
    kwe_cap => CapOut, |cap| CapOut {
        issuer: AddressOut::from_host(&cap.issuer),
        params: cap.params.text(),
    };
    kwe_blob => Option<BlobOut>, |blob| (blob.present != 0).then(|| BlobOut {
        mime: optional_text(blob.mime, blob.has_mime),
        bytes: blob.bytes.bytes(),
    });
    kwe_request => RequestOut, |request| RequestOut {
        inherit: request.inherit != 0,
        expects_response: (request.has_expects != 0).then_some(request.expects_response),
        body: request.body.bytes(),
        metadata: optional_text(request.metadata, request.has_metadata),
        capabilities: list(request.caps, request.ncaps),
    };
    kwe_response => ResponseOut, |response| ResponseOut {
        inherit: response.inherit != 0,
        body: response.body.bytes(),
        metadata: optional_text(response.metadata, response.has_metadata),
        capabilities: list(response.caps, response.ncaps),
    };
    kwe_message => MessageOut, |message| if message.is_response != 0 {
        let context = optional_bytes(message.context, message.has_context);
        MessageOut::Response((ResponseOut::from_host(&message.response), context))
    } else {
        MessageOut::Request(RequestOut::from_host(&message.request))
    };
    kwe_send => (AddressOut, RequestOut, Option<BlobOut>), |send| (
        AddressOut::from_host(&send.target),
        RequestOut::from_host(&send.request),
        Option::from_host(&send.blob),
    );
    kwe_on_exit => OnExitOut, |on_exit| match on_exit.kind {
        1 => OnExitOut::Restart,
        2 => OnExitOut::Requests(list(on_exit.sends, on_exit.nsends)),
        _ => OnExitOut::None,
    };
    kwe_recv => SendErrorOut, |recv| SendErrorOut {
        kind: send_error_kind(recv),
        target: AddressOut::from_host(&recv.peer),
        message: MessageOut::from_host(&recv.message),
        blob: Option::from_host(&recv.blob),
    };
    kwe_recv => SendErrorOut07, |recv| SendErrorOut07 {
        kind: send_error_kind(recv),
        message: MessageOut::from_host(&recv.message),
        blob: Option::from_host(&recv.blob),
    };
}

fn send_error_kind(recv: &kwe_recv) -> SendErrorKindOut {
    match recv.error_kind {
        0 => SendErrorKindOut::Offline,
        _ => SendErrorKindOut::Timeout,
    }
}

pub type AwaitOut<E> = std::result::Result<(AddressOut, MessageOut), E>;
pub type ReceiveOut<E> = std::result::Result<(AddressOut, MessageOut), (E, Option<Bytes>)>;

/// # Safety
/// As `FromHost`.
pub unsafe fn awaited<E: FromHost<kwe_recv>>(recv: &kwe_recv) -> AwaitOut<E> {
    // SAFETY: passed on from the caller.
    unsafe {
        match recv.is_error {
            0 => Ok((AddressOut::from_host(&recv.peer), MessageOut::from_host(&recv.message))),
            _ => Err(E::from_host(recv)),
        }
    }
}

/// # Safety
/// As `FromHost`.
pub unsafe fn received<E: FromHost<kwe_recv>>(recv: &kwe_recv) -> ReceiveOut<E> {
    // SAFETY: passed on from the caller.
    unsafe {
        awaited(recv).map_err(|error| (error, optional_bytes(recv.context, recv.has_context)))
    }
}

/// # Safety
/// As `FromHost`.
pub unsafe fn spawned(
    id: &kwe_procid,
    error: c_int,
) -> std::result::Result<ProcessIdOut, SpawnErrorOut> {
    match error {
        // SAFETY: passed on from the caller.
        SPAWN_OK => Ok(unsafe { ProcessIdOut::from_host(id) }),
        SPAWN_NAME_TAKEN => Err(SpawnErrorOut::NameTaken),
        _ => Err(SpawnErrorOut::NoFileAtPath),
    }
}
