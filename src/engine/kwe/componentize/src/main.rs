//! `perdure-componentize`: makes components that Perdure runs out of core Wasm modules and of
//! component text.
//!
//! Separate from the node, so that the node links no compiler front end it does not use.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const USAGE: &str = "\
Makes a component that Perdure can run.

Usage:
  perdure-componentize CORE.wasm -o OUT.wasm [--wit PATH --world NAME] [--adapter FILE]
  perdure-componentize text IN.wat -o OUT.wasm

The first form wraps a core module. WASI preview 1 imports are served by an adapter that is built
in; the module has to be a reactor (a library without `_start`). A module whose tool chain has not
embedded its world needs --wit (a WIT file or the directory of its package) and --world. The second
form translates a component written as text.

Options:
  -o, --output FILE   where the component goes; replaced only once it is complete
  --wit PATH          the WIT package of the module's world
  --world NAME        the world, for example process-v1
  --adapter FILE      another adapter for WASI preview 1, a core module, instead of the one built in
  -h, --help          this text
  -V, --version       the version

Exit status: 0 done, 1 failed, 2 wrong usage.

Examples:
  perdure-componentize target/wasm32-wasip1/release/counter.wasm -o pkg/counter.wasm
  perdure-componentize core.wasm -o out.wasm --wit wit/hyperware-1.0.0 --world process-v1
  perdure-componentize text guest.wat -o guest.wasm
";

struct Job {
    text: bool,
    input: PathBuf,
    output: PathBuf,
    world: Option<(PathBuf, String)>,
    adapter: Option<PathBuf>,
}

enum Asked {
    Job(Job),
    Show(String),
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(Asked::Show(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Asked::Job(job)) => match run(&job) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("perdure-componentize: {error:#}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("perdure-componentize: {error:#}\nperdure-componentize --help tells more");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Asked> {
    let mut arguments = arguments.peekable();
    let text = arguments.next_if(|argument| argument == "text").is_some();
    let (mut input, mut output) = (None, None);
    let (mut wit, mut world, mut adapter) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let place = match argument.as_str() {
            "-h" | "--help" => return Ok(Asked::Show(USAGE.into())),
            "-V" | "--version" => {
                return Ok(Asked::Show(format!(
                    "perdure-componentize {}\n",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            "-o" | "--output" => &mut output,
            "--wit" if !text => &mut wit,
            "--world" if !text => &mut world,
            "--adapter" if !text => &mut adapter,
            option if option.starts_with('-') => bail!("unknown option {option}"),
            _ if input.is_some() => bail!("more than one input file: {argument}"),
            _ => {
                input = Some(argument);
                continue;
            }
        };
        *place = Some(arguments.next().with_context(|| format!("{argument} needs a value"))?);
    }
    let world = match (wit, world) {
        (Some(wit), Some(world)) => Some((wit.into(), world)),
        (None, None) => None,
        _ => bail!("--wit and --world go together"),
    };
    let input = input.context("which file? The input is missing")?.into();
    let output = output.context("where to? -o is missing")?.into();
    let adapter = adapter.map(PathBuf::from);
    Ok(Asked::Job(Job { text, input, output, world, adapter }))
}

fn run(job: &Job) -> Result<()> {
    let name = job.input.display();
    let bytes = fs::read(&job.input).with_context(|| format!("{name} cannot be read"))?;
    let component = if job.text {
        wat::parse_bytes(&bytes)
            .with_context(|| format!("{name} is not well-formed text"))?
            .into_owned()
    } else {
        let other = job.adapter.as_deref().map(read_adapter).transpose()?;
        let adapter = other.as_deref().unwrap_or(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
        wrap(bytes, job.world.as_ref(), adapter)
            .with_context(|| format!("{name} cannot be made a component"))?
    };
    replace(&job.output, &component)
        .with_context(|| format!("{} cannot be written", job.output.display()))
}

fn read_adapter(path: &Path) -> Result<Vec<u8>> {
    let bytes =
        fs::read(path).with_context(|| format!("the adapter {} cannot be read", path.display()))?;
    if !bytes.starts_with(b"\0asm\x01\0\0\0") {
        bail!("the adapter {} is no core module", path.display());
    }
    Ok(bytes)
}

/// A component around a core module.
fn wrap(mut module: Vec<u8>, world: Option<&(PathBuf, String)>, adapter: &[u8]) -> Result<Vec<u8>> {
    match module.get(..8) {
        Some(b"\0asm\x01\0\0\0") => {}
        Some([b'\0', b'a', b's', b'm', ..]) => bail!("it is a component already"),
        _ => bail!("it is no Wasm module; for text use `perdure-componentize text`"),
    }
    if let Some((wit, name)) = world {
        let mut resolve = Resolve::default();
        let (package, _) = resolve
            .push_path(wit)
            .with_context(|| format!("the WIT in {} cannot be read", wit.display()))?;
        let world = resolve.select_world(&[package], Some(name)).with_context(|| {
            let known: Vec<&str> =
                resolve.worlds.iter().map(|(_, world)| world.name.as_str()).collect();
            format!("{} has no world {name}; it has {}", wit.display(), known.join(", "))
        })?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    }
    let hint = match world {
        Some(_) => "does the module implement that world?",
        None => "a module without an embedded world needs --wit and --world",
    };
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter))
        .and_then(|mut encoder| encoder.encode())
        .context(hint)
}

/// Writes `bytes` under another name, then renames: whoever reads `path` sees the old file or the
/// new one, whole.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().context("it names no file")?.to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let write = || -> Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(fs::rename(&temporary, path)?)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}
