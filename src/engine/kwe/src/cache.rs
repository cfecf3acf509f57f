//! Compiled code on disk (E-12, E-13).
//!
//! ```text
//! <dir>/lock                                    held (flock) by whoever writes or deletes
//! <dir>/<fingerprint, 16 hex>/aa/<sha256>.cwasm  mode 0400
//! <dir>/<fingerprint, 16 hex>/aa/<sha256>.tag    HMAC-SHA-256(key, sha256 || .cwasm), 32 bytes
//! ```
//!
//! Loading compiled code is executing it, so nothing is loaded without a valid tag, and what was
//! verified is what is mapped: both go through one open descriptor. Files are made under another
//! name, synced and renamed, never changed in place: running guests map them. Whatever does not
//! verify is deleted and counts as absent.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

pub type Key = [u8; 32];

/// Bytes of compiled code kept, over all fingerprints; the longest unused go first.
const BYTES_MAX: u64 = 4 << 30;

pub struct Cache {
    dir: PathBuf,
    /// `dir` and the fingerprint.
    current: PathBuf,
    secret: Key,
    /// Code cannot be mapped from this mount: it is read into memory instead.
    noexec: bool,
    temporaries: AtomicU64,
}

/// What is there for a key.
pub enum Found {
    Code(Component),
    Nothing,
    /// Something was, but was not worth loading; it is gone now.
    Rejected,
}

impl Cache {
    pub fn open(dir: &Path, fingerprint: &Key, secret: Key) -> io::Result<Self> {
        let current = dir.join(&hex(fingerprint)[..16]);
        DirBuilder::new().recursive(true).mode(0o700).create(&current)?;
        let noexec = noexec(&File::open(dir)?)?;
        let temporaries = AtomicU64::new(0);
        Ok(Self { dir: dir.into(), current, secret, noexec, temporaries })
    }

    /// Loads the code for `key` if it is there and verifies. An error is one of loading good code,
    /// not of the file.
    pub fn load(&self, engine: &Engine, key: &Key) -> wasmtime::Result<Found> {
        if let Some(component) = self.verified(engine, key)? {
            return Ok(Found::Code(component));
        }
        if !self.path(key, "cwasm").exists() {
            return Ok(Found::Nothing);
        }
        // Another node may just be replacing the pair: look again while nobody writes.
        let _lock = self.lock();
        if let Some(component) = self.verified(engine, key)? {
            return Ok(Found::Code(component));
        }
        for kind in ["cwasm", "tag"] {
            let _ = fs::remove_file(self.path(key, kind));
        }
        Ok(Found::Rejected)
    }

    fn verified(&self, engine: &Engine, key: &Key) -> wasmtime::Result<Option<Component>> {
        let open = || -> io::Result<(File, Vec<u8>)> {
            let mut file = open(&self.path(key, "cwasm"))?;
            let mut tag = Vec::new();
            open_tag(&self.path(key, "tag"))?.read_to_end(&mut tag)?;
            let mac = self.mac(key, &mut file)?;
            mac.verify_slice(&tag).map_err(io::Error::other)?;
            Ok((file, tag))
        };
        let Ok((mut file, _)) = open() else { return Ok(None) };
        let loaded = if self.noexec {
            let mut bytes = Vec::new();
            let whole = io::Seek::rewind(&mut file).and_then(|()| file.read_to_end(&mut bytes));
            let Ok(_) = whole else { return Ok(None) };
            // SAFETY: these bytes were made by Wasmtime and signed by us: the tag says so.
            unsafe { Component::deserialize(engine, &bytes) }
        } else {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            // SAFETY: the verified file itself, by its descriptor; it is never changed in place.
            unsafe { Component::deserialize_file(engine, path) }
        };
        match loaded {
            Ok(component) => {
                // For eviction: used now. A failure only makes it look older.
                // SAFETY: a descriptor of ours.
                unsafe { libc::futimens(file.as_raw_fd(), std::ptr::null()) };
                Ok(Some(component))
            }
            Err(error) if exceeds_pool(&error) => Err(error),
            // Made by another build or for another machine.
            Err(_) => Ok(None),
        }
    }

    /// Keeps `code` for `key`.
    pub fn store(&self, key: &Key, code: &[u8]) -> io::Result<()> {
        let dir = self.path(key, "tag").parent().map(PathBuf::from).unwrap_or_default();
        let _lock = self.lock()?;
        self.evict(code.len() as u64);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let tag = self.mac(key, &mut &code[..])?.finalize().into_bytes();
        self.write(&self.path(key, "tag"), &tag)?;
        self.write(&self.path(key, "cwasm"), code)?;
        File::open(&dir)?.sync_all()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}.{number}.tmp", std::process::id()));
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o400).open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
    }

    fn mac(&self, key: &Key, code: &mut dyn Read) -> io::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).map_err(io::Error::other)?;
        mac.update(key);
        let mut chunk = vec![0; 256 << 10];
        loop {
            match code.read(&mut chunk)? {
                0 => return Ok(mac),
                n => mac.update(&chunk[..n]),
            }
        }
    }

    fn path(&self, key: &Key, kind: &str) -> PathBuf {
        let name = hex(key);
        self.current.join(&name[..2]).join(format!("{name}.{kind}"))
    }

    fn lock(&self) -> io::Result<File> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.dir.join("lock"))?;
        file.lock()?;
        Ok(file)
    }

    /// Makes room for `more` bytes, and removes what an interrupted writer left. Called under the
    /// lock.
    fn evict(&self, more: u64) {
        let mut files = Vec::new();
        collect(&self.dir, 2, &mut files);
        let (left_over, mut files): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(path, ..)| path.extension().is_some_and(|e| e == "tmp"));
        for (path, ..) in left_over {
            let _ = fs::remove_file(path);
        }
        let mut total = more + files.iter().map(|(_, size, _)| size).sum::<u64>();
        files.sort_by_key(|(_, _, used)| *used);
        for (path, size, _) in
            files.iter().filter(|(path, ..)| path.extension().is_some_and(|e| e == "cwasm"))
        {
            if total <= BYTES_MAX {
                break;
            }
            let _ = fs::remove_file(path.with_extension("tag"));
            let _ = fs::remove_file(path);
            total -= size;
        }
    }
}

/// Whether code is fine but too large for the pool's settings.
pub fn exceeds_pool(error: &wasmtime::Error) -> bool {
    format!("{error:#}").contains("pooling allocator")
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)
}

/// A tag has 32 bytes; no more than a few are ever read.
fn open_tag(path: &Path) -> io::Result<io::Take<File>> {
    Ok(open(path)?.take(64))
}

fn collect(dir: &Path, depth: u32, files: &mut Vec<(PathBuf, u64, i64)>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() && depth > 0 => collect(&entry.path(), depth - 1, files),
            Ok(meta) if meta.is_file() => files.push((entry.path(), meta.len(), meta.mtime())),
            _ => {}
        }
    }
}

fn noexec(dir: &File) -> io::Result<bool> {
    // SAFETY: an all-zero `statvfs` is a value of it, and the call fills it.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a descriptor of ours and a struct that outlives the call.
    if unsafe { libc::fstatvfs(dir.as_raw_fd(), &mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(stat.f_flag & libc::ST_NOEXEC != 0)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
