//! The part of WASI 0.2 that guests made with the usual tool chains import (K-224): clocks, random
//! numbers, error output and sleeping work; there are no arguments, files, terminals or sockets,
//! and asking for one is answered so.
//!
//! Everything is registered once, at 0.2.12; the linker matches any 0.2.z (K-225). Functions that
//! need a handle which no guest can get are in the table too, so that guests that merely import
//! them start.

use std::ffi::c_int;

use wasmtime::component::{
    ComponentType, Lift, Linker, Lower, Resource, ResourceType, Val, WasmList,
};
use wasmtime::{AsContext, Result, StoreContextMut, bail};

use crate::abi::{kwe_host, kwe_limits, kwe_slice};
use crate::host::{Host, Pinned, Stop, begin, call, finish};
use crate::standard::{Face, Names};

/// The version everything is registered at.
const VERSION: &str = "0.2.12";
/// What `check-write` offers, and what one write of zeroes is cut to.
const WRITE_BYTES_MAX: u64 = 64 << 10;
/// Most random bytes a single call may ask for; a larger one traps its guest.
const RANDOM_BYTES_MAX: u64 = 16 << 20;
/// Of the clocks, where the host names none (K-224).
const RESOLUTION_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

// Host resources. A stream's representation is its number above, a pollable's its index in `Wasi`;
// nobody gets the others.
struct InputStream;
struct OutputStream;
struct IoError;
struct Pollable;
struct Descriptor;
struct DirectoryEntryStream;
struct TerminalInput;
struct TerminalOutput;
struct Network;
struct UdpSocket;
struct IncomingDatagramStream;
struct OutgoingDatagramStream;
struct TcpSocket;
struct ResolveAddressStream;

/// What a guest's calls of WASI refer to.
pub struct Wasi {
    /// What pollables wait for: an instant of the monotonic clock, 0 for "ready at once".
    pollables: Vec<u64>,
    free: Vec<u32>,
    resolution_ns: u64,
}

impl Wasi {
    pub fn new(limits: &kwe_limits) -> Self {
        let asked = limits.clock_resolution_ns;
        let resolution_ns = if asked == 0 { RESOLUTION_NS } else { asked };
        Self { pollables: Vec::new(), free: Vec::new(), resolution_ns }
    }

    fn add(&mut self, instant_ns: u64) -> Resource<Pollable> {
        let index = self.free.pop().unwrap_or(self.pollables.len() as u32);
        match self.pollables.get_mut(index as usize) {
            Some(pollable) => *pollable = instant_ns,
            None => self.pollables.push(instant_ns),
        }
        Resource::new_own(index)
    }
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code)] // Our streams do not fail; the type has to be complete.
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Stream<T> = std::result::Result<T, StreamError>;

#[derive(ComponentType, Lower, Lift)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

pub fn register(linker: &mut Linker<Host>, names: &mut Names) -> Result<()> {
    cli(names, linker)?;
    io(names, linker)?;
    clocks(names, linker)?;
    random(names, linker)?;
    refusals(names, linker)
}

fn wasi_face<'a>(
    linker: &'a mut Linker<Host>,
    names: &'a mut Names,
    name: &str,
) -> Result<Face<'a>> {
    Face::new(linker, names, &format!("wasi:{name}@{VERSION}"))
}

fn cli(names: &mut Names, linker: &mut Linker<Host>) -> Result<()> {
    let mut exit = wasi_face(linker, names, "cli/exit")?;
    exit.at_once("exit", |_, (status,): (std::result::Result<(), ()>,)| -> Result<()> {
        Err(Stop::Exit(status.is_err().into()).into())
    })?;
    exit.at_once("exit-with-code", |_, (code,): (u8,)| -> Result<()> {
        Err(Stop::Exit(code.into()).into())
    })?;
    let mut stdin = wasi_face(linker, names, "cli/stdin")?;
    stdin.at_once("get-stdin", |_, (): ()| Ok((Resource::<InputStream>::new_own(STDIN),)))?;
    for (name, function, stream) in
        [("cli/stdout", "get-stdout", STDOUT), ("cli/stderr", "get-stderr", STDERR)]
    {
        let mut face = wasi_face(linker, names, name)?;
        face.at_once(function, move |_, (): ()| Ok((Resource::<OutputStream>::new_own(stream),)))?;
    }
    Ok(())
}

fn io(names: &mut Names, linker: &mut Linker<Host>) -> Result<()> {
    let mut error = wasi_face(linker, names, "io/error")?;
    resource::<IoError>(&mut error, "error")?;
    error.at_once("[method]error.to-debug-string", |_, (_,): (Resource<IoError>,)| Ok(("",)))?;

    let mut poll = wasi_face(linker, names, "io/poll")?;
    poll.note("pollable");
    poll.instance().resource("pollable", ResourceType::host::<Pollable>(), |mut cx, index| {
        cx.data_mut().wasi.free.push(index);
        Ok(())
    })?;
    poll.at_once("[method]pollable.ready", |mut cx, (pollable,): (Resource<Pollable>,)| {
        let instant = cx.data().wasi.pollables[pollable.rep() as usize];
        Ok((instant == 0 || instant <= monotonic(&mut cx)?,))
    })?;
    poll.waiting("[method]pollable.block", |cx, (pollable,): (Resource<Pollable>,)| {
        Box::new(async move { sleep_for_first(cx, vec![pollable.rep()]).await.map(|_| ()) })
    })?;
    poll.waiting("poll", |cx, (pollables,): (Vec<Resource<Pollable>>,)| {
        let pollables: Vec<u32> = pollables.iter().map(Resource::rep).collect();
        Box::new(async move { Ok((sleep_for_first(cx, pollables).await?,)) })
    })?;

    let mut streams = wasi_face(linker, names, "io/streams")?;
    resource::<InputStream>(&mut streams, "input-stream")?;
    resource::<OutputStream>(&mut streams, "output-stream")?;
    input(&mut streams)?;
    output(&mut streams)
}

/// Standard input is at its end.
fn input(face: &mut Face<'_>) -> Result<()> {
    type In = Resource<InputStream>;
    for name in ["read", "blocking-read"] {
        face.at_once(&format!("[method]input-stream.{name}"), |_, (_, _): (In, u64)| {
            Ok((Stream::<Vec<u8>>::Err(StreamError::Closed),))
        })?;
    }
    for name in ["skip", "blocking-skip"] {
        face.at_once(&format!("[method]input-stream.{name}"), |_, (_, _): (In, u64)| {
            Ok((Stream::<u64>::Err(StreamError::Closed),))
        })?;
    }
    face.at_once("[method]input-stream.subscribe", |mut cx, (_,): (In,)| {
        Ok((cx.data_mut().wasi.add(0),))
    })
}

/// Standard output and error take everything at once (K-227).
fn output(face: &mut Face<'_>) -> Result<()> {
    type Out = Resource<OutputStream>;
    face.at_once("[method]output-stream.check-write", |_, (_,): (Out,)| {
        Ok((Stream::Ok(WRITE_BYTES_MAX),))
    })?;
    for name in ["write", "blocking-write-and-flush"] {
        face.at_once(
            &format!("[method]output-stream.{name}"),
            |mut cx, (stream, bytes): (Out, WasmList<u8>)| {
                let bytes = kwe_slice::of(bytes.as_le_slice(cx.as_context()));
                write(&mut cx, &stream, bytes)?;
                Ok((Stream::Ok(()),))
            },
        )?;
    }
    for name in ["flush", "blocking-flush"] {
        face.at_once(&format!("[method]output-stream.{name}"), |_, (_,): (Out,)| {
            Ok((Stream::Ok(()),))
        })?;
    }
    for name in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        face.at_once(
            &format!("[method]output-stream.{name}"),
            |mut cx, (stream, n): (Out, u64)| {
                let zeroes = vec![0; n.min(WRITE_BYTES_MAX) as usize];
                write(&mut cx, &stream, kwe_slice::of(&zeroes))?;
                Ok((Stream::Ok(()),))
            },
        )?;
    }
    for name in ["splice", "blocking-splice"] {
        face.at_once(
            &format!("[method]output-stream.{name}"),
            |_, (_, _, _): (Out, Resource<InputStream>, u64)| {
                Ok((Stream::<u64>::Err(StreamError::Closed),))
            },
        )?;
    }
    face.at_once("[method]output-stream.subscribe", |mut cx, (_,): (Out,)| {
        Ok((cx.data_mut().wasi.add(0),))
    })
}

fn write(
    cx: &mut StoreContextMut<'_, Host>,
    stream: &Resource<OutputStream>,
    bytes: kwe_slice,
) -> Result<()> {
    let stream = stream.rep() as c_int;
    call(cx, |host, ctx| unsafe { (host.output)(ctx, stream, bytes) })
}

/// Suspends the guest until one of `pollables` is ready; the positions of all that are.
async fn sleep_for_first(
    mut cx: StoreContextMut<'_, Host>,
    pollables: Vec<u32>,
) -> Result<Vec<u32>> {
    let instants: Vec<u64> =
        pollables.iter().map(|&index| cx.data().wasi.pollables[index as usize]).collect();
    let Some(&first) = instants.iter().min() else {
        bail!("wasi:io/poll: the list of pollables is empty");
    };
    let mut now = 0;
    if first > 0 {
        cx.data_mut().limits.waits();
        let asked =
            begin(cx.data(), |host, ctx, _: &mut ()| unsafe { (host.sleep_until)(ctx, 0, first) });
        let again =
            move |host: &kwe_host, ctx, _: &mut ()| unsafe { (host.sleep_until)(ctx, 1, first) };
        finish(&mut cx, asked, again).await.map(Pinned::into_inner)?;
        // The host says that `first` has come; its clock, read later, cannot say less.
        now = monotonic(&mut cx)?.max(first);
    }
    let ready = |(position, &instant): (usize, &u64)| (instant <= now).then_some(position as u32);
    Ok(instants.iter().enumerate().filter_map(ready).collect())
}

fn monotonic(cx: &mut StoreContextMut<'_, Host>) -> Result<u64> {
    let mut ns = 0;
    call(cx, |host, ctx| unsafe { (host.monotonic)(ctx, &mut ns) })?;
    Ok(ns)
}

fn clocks(names: &mut Names, linker: &mut Linker<Host>) -> Result<()> {
    let mut monotonic_clock = wasi_face(linker, names, "clocks/monotonic-clock")?;
    monotonic_clock.at_once("now", |mut cx, (): ()| Ok((monotonic(&mut cx)?,)))?;
    monotonic_clock.at_once("resolution", |cx, (): ()| Ok((cx.data().wasi.resolution_ns,)))?;
    monotonic_clock.at_once("subscribe-instant", |mut cx, (instant,): (u64,)| {
        Ok((cx.data_mut().wasi.add(instant),))
    })?;
    monotonic_clock.at_once("subscribe-duration", |mut cx, (duration,): (u64,)| {
        let instant = monotonic(&mut cx)?.saturating_add(duration);
        Ok((cx.data_mut().wasi.add(instant),))
    })?;

    let mut wall_clock = wasi_face(linker, names, "clocks/wall-clock")?;
    wall_clock.at_once("now", |mut cx, (): ()| {
        let mut now = Datetime { seconds: 0, nanoseconds: 0 };
        call(&mut cx, |host, ctx| unsafe {
            (host.wall)(ctx, &mut now.seconds, &mut now.nanoseconds)
        })?;
        Ok((now,))
    })?;
    wall_clock.at_once("resolution", |cx, (): ()| {
        let ns = cx.data().wasi.resolution_ns;
        Ok((Datetime { seconds: ns / SECOND_NS, nanoseconds: (ns % SECOND_NS) as u32 },))
    })
}

fn random(names: &mut Names, linker: &mut Linker<Host>) -> Result<()> {
    for (interface, bytes, number, insecure) in [
        ("random/random", "get-random-bytes", "get-random-u64", 0),
        ("random/insecure", "get-insecure-random-bytes", "get-insecure-random-u64", 1),
    ] {
        let mut face = wasi_face(linker, names, interface)?;
        face.at_once(bytes, move |mut cx, (n,): (u64,)| {
            if n > RANDOM_BYTES_MAX {
                bail!(
                    "{interface}: {n} random bytes asked for at once; at most {RANDOM_BYTES_MAX}"
                );
            }
            let mut bytes = vec![0; n as usize];
            fill(&mut cx, &mut bytes, insecure)?;
            Ok((bytes,))
        })?;
        face.at_once(number, move |mut cx, (): ()| {
            let mut bytes = [0; 8];
            fill(&mut cx, &mut bytes, insecure)?;
            Ok((u64::from_le_bytes(bytes),))
        })?;
    }
    let mut seed = wasi_face(linker, names, "random/insecure-seed")?;
    seed.at_once("insecure-seed", |mut cx, (): ()| {
        let mut bytes = [0; 16];
        fill(&mut cx, &mut bytes, 1)?;
        let (low, high) = bytes.split_at(8);
        let number = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("8 bytes"));
        Ok(((number(low), number(high)),))
    })
}

fn fill(cx: &mut StoreContextMut<'_, Host>, bytes: &mut [u8], insecure: c_int) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    call(cx, |host, ctx| unsafe { (host.random)(ctx, bytes.as_mut_ptr(), bytes.len(), insecure) })
}

fn resource<T: 'static>(face: &mut Face<'_>, name: &str) -> Result<()> {
    face.note(name);
    face.instance().resource(name, ResourceType::host::<T>(), |_, _| Ok(()))
}

// -------------------------------------------------------------------------------------------------

/// What a function without a type of its own answers.
#[derive(Clone, Copy)]
enum Answer {
    /// An empty list.
    Empty,
    /// No value.
    None,
    /// The error code of that name.
    Code(&'static str),
    /// It needs a handle that nobody can get.
    Unreachable,
}

fn refusals(names: &mut Names, linker: &mut Linker<Host>) -> Result<()> {
    use Answer::{Code, Empty, None};

    refuse(
        linker,
        names,
        "cli/environment",
        &[("get-environment", Empty), ("get-arguments", Empty), ("initial-cwd", None)],
    )?;
    resource::<TerminalInput>(
        &mut wasi_face(linker, names, "cli/terminal-input")?,
        "terminal-input",
    )?;
    resource::<TerminalOutput>(
        &mut wasi_face(linker, names, "cli/terminal-output")?,
        "terminal-output",
    )?;
    refuse(linker, names, "cli/terminal-stdin", &[("get-terminal-stdin", None)])?;
    refuse(linker, names, "cli/terminal-stdout", &[("get-terminal-stdout", None)])?;
    refuse(linker, names, "cli/terminal-stderr", &[("get-terminal-stderr", None)])?;

    let mut files = wasi_face(linker, names, "filesystem/types")?;
    resource::<Descriptor>(&mut files, "descriptor")?;
    resource::<DirectoryEntryStream>(&mut files, "directory-entry-stream")?;
    refuse(linker, names, "filesystem/types", &[("filesystem-error-code", None)])?;
    refuse_methods(linker, names, "filesystem/types", "descriptor", DESCRIPTOR)?;
    refuse_methods(
        linker,
        names,
        "filesystem/types",
        "directory-entry-stream",
        &["read-directory-entry"],
    )?;
    refuse(linker, names, "filesystem/preopens", &[("get-directories", Empty)])?;

    let mut network = wasi_face(linker, names, "sockets/network")?;
    resource::<Network>(&mut network, "network")?;
    refuse(linker, names, "sockets/network", &[("network-error-code", None)])?;
    let mut instance_network = wasi_face(linker, names, "sockets/instance-network")?;
    instance_network
        .at_once("instance-network", |_, (): ()| Ok((Resource::<Network>::new_own(0),)))?;

    let mut lookup = wasi_face(linker, names, "sockets/ip-name-lookup")?;
    resource::<ResolveAddressStream>(&mut lookup, "resolve-address-stream")?;
    let denied = Code("access-denied");
    refuse(linker, names, "sockets/ip-name-lookup", &[("resolve-addresses", denied)])?;
    refuse_methods(
        linker,
        names,
        "sockets/ip-name-lookup",
        "resolve-address-stream",
        &["resolve-next-address", "subscribe"],
    )?;

    let mut udp = wasi_face(linker, names, "sockets/udp")?;
    resource::<UdpSocket>(&mut udp, "udp-socket")?;
    resource::<IncomingDatagramStream>(&mut udp, "incoming-datagram-stream")?;
    resource::<OutgoingDatagramStream>(&mut udp, "outgoing-datagram-stream")?;
    refuse_methods(linker, names, "sockets/udp", "udp-socket", UDP_SOCKET)?;
    refuse_methods(
        linker,
        names,
        "sockets/udp",
        "incoming-datagram-stream",
        &["receive", "subscribe"],
    )?;
    refuse_methods(
        linker,
        names,
        "sockets/udp",
        "outgoing-datagram-stream",
        &["check-send", "send", "subscribe"],
    )?;
    refuse(linker, names, "sockets/udp-create-socket", &[("create-udp-socket", denied)])?;

    let mut tcp = wasi_face(linker, names, "sockets/tcp")?;
    resource::<TcpSocket>(&mut tcp, "tcp-socket")?;
    refuse_methods(linker, names, "sockets/tcp", "tcp-socket", TCP_SOCKET)?;
    refuse(linker, names, "sockets/tcp-create-socket", &[("create-tcp-socket", denied)])
}

fn refuse_methods(
    linker: &mut Linker<Host>,
    names: &mut Names,
    interface: &str,
    resource: &str,
    methods: &[&str],
) -> Result<()> {
    for method in methods {
        let name = format!("[method]{resource}.{method}");
        refuse(linker, names, interface, &[(&name, Answer::Unreachable)])?;
    }
    Ok(())
}

fn refuse(
    linker: &mut Linker<Host>,
    names: &mut Names,
    interface: &str,
    functions: &[(&str, Answer)],
) -> Result<()> {
    let mut face = wasi_face(linker, names, interface)?;
    for &(name, answer) in functions {
        face.note(name);
        let full = format!("wasi:{interface} {name}");
        face.instance().func_new(name, move |_, _, _, results| {
            results[0] = match answer {
                Answer::Empty => Val::List(Vec::new()),
                Answer::None => Val::Option(Option::None),
                Answer::Code(code) => Val::Result(Err(Some(Box::new(Val::Enum(code.into()))))),
                Answer::Unreachable => {
                    bail!("{full} was called, but there is nothing to call it on")
                }
            };
            Ok(())
        })?;
    }
    Ok(())
}

const DESCRIPTOR: &[&str] = &[
    "read-via-stream",
    "write-via-stream",
    "append-via-stream",
    "advise",
    "sync-data",
    "get-flags",
    "get-type",
    "set-size",
    "set-times",
    "read",
    "write",
    "read-directory",
    "sync",
    "create-directory-at",
    "stat",
    "stat-at",
    "set-times-at",
    "link-at",
    "open-at",
    "readlink-at",
    "remove-directory-at",
    "rename-at",
    "symlink-at",
    "unlink-file-at",
    "is-same-object",
    "metadata-hash",
    "metadata-hash-at",
];

const UDP_SOCKET: &[&str] = &[
    "start-bind",
    "finish-bind",
    "stream",
    "local-address",
    "remote-address",
    "address-family",
    "unicast-hop-limit",
    "set-unicast-hop-limit",
    "receive-buffer-size",
    "set-receive-buffer-size",
    "send-buffer-size",
    "set-send-buffer-size",
    "subscribe",
];

const TCP_SOCKET: &[&str] = &[
    "start-bind",
    "finish-bind",
    "start-connect",
    "finish-connect",
    "start-listen",
    "finish-listen",
    "accept",
    "local-address",
    "remote-address",
    "is-listening",
    "address-family",
    "set-listen-backlog-size",
    "keep-alive-enabled",
    "set-keep-alive-enabled",
    "keep-alive-idle-time",
    "set-keep-alive-idle-time",
    "keep-alive-interval",
    "set-keep-alive-interval",
    "keep-alive-count",
    "set-keep-alive-count",
    "hop-limit",
    "set-hop-limit",
    "receive-buffer-size",
    "set-receive-buffer-size",
    "send-buffer-size",
    "set-send-buffer-size",
    "subscribe",
    "shutdown",
];
