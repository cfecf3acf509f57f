//! Compiled code: once per content and engine (E-12), and never from a file that does not verify
//! (E-13).

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use kwe::abi::*;
use support::*;

const KEY: [u8; 32] = [7; 32];

fn component() -> Vec<u8> {
    bare(r#"(func (export "init") (param i32 i32))"#)
}

/// The files of the cache with this extension.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry, extension));
        } else if entry.extension().is_some_and(|it| it == extension) {
            found.push(entry);
        }
    }
    found
}

fn only(dir: &Path, extension: &str) -> PathBuf {
    let found = files(dir, extension);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Loads the component in a fresh engine and runs it: (compiles, hits on disk, rejects).
fn start(dir: &Path, key: &[u8; 32]) -> (u64, u64, u64) {
    let node = Node::cached(dir, key);
    assert_eq!(node.process(&component()).run(&node).kind, EXIT_RETURNED);
    let stats = node.stats();
    (stats.compiles_total, stats.disk_hits_total, stats.cache_rejects_total)
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn e12_a_second_engine_compiles_nothing() {
    let folder = Folder::new("second");
    assert_eq!(start(&folder.0, &KEY), (1, 0, 0));
    assert_eq!(start(&folder.0, &KEY), (0, 1, 0));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&only(&folder.0, "cwasm")), 0o400);
    assert_eq!(mode(only(&folder.0, "cwasm").parent().unwrap()), 0o700);
    assert!(files(&folder.0, "tmp").is_empty());
}

#[test]
fn in_one_engine_a_component_is_made_once() {
    let node = Node::new();
    let guest = component();
    let first = node.load(&guest).unwrap();
    drop(node.load(&guest).unwrap());
    let stats = node.stats();
    assert_eq!((stats.compiles_total, stats.memory_hits_total, stats.components), (1, 1, 1));
    drop(first);
    assert!(unsafe { kwe::kwe_component_find(node.engine, [0; 32].as_ptr()) }.is_null());
}

#[test]
fn e12_concurrent_requests_compile_once() {
    let folder = Folder::new("thundering");
    let node = Node::cached(&folder.0, &KEY);
    let guest = component();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| drop(node.load(&guest).unwrap()));
        }
    });
    let stats = node.stats();
    assert_eq!((stats.compiles_total, stats.memory_hits_total), (1, 15));
}

#[test]
fn e13_damaged_files_are_rebuilt_and_never_loaded() {
    let folder = Folder::new("damaged");
    assert_eq!(start(&folder.0, &KEY), (1, 0, 0));
    let (code, tag) = (only(&folder.0, "cwasm"), only(&folder.0, "tag"));
    let whole = fs::read(&code).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut broken = vec![vec![], whole[..100].to_vec(), whole[..whole.len() - 1].to_vec()];
    broken.push([&whole[..], b"x"].concat());
    broken.extend((0..20).map(|i| flipped(i * (whole.len() - 1) / 19)));
    for bytes in broken {
        overwrite(&code, &bytes);
        assert_eq!(start(&folder.0, &KEY), (1, 0, 1));
        assert_eq!(start(&folder.0, &KEY), (0, 1, 0), "it was rebuilt");
    }
    let good = fs::read(&tag).unwrap();
    for bytes in [&[][..], &good[..31], &[&good[..], b"x"].concat(), &[0; 32]] {
        overwrite(&tag, bytes);
        assert_eq!(start(&folder.0, &KEY), (1, 0, 1));
    }
    fs::remove_file(&tag).unwrap();
    assert_eq!(start(&folder.0, &KEY), (1, 0, 1), "code without a tag");
}

#[test]
fn e13_code_of_another_key_another_component_or_another_engine_is_foreign() {
    let folder = Folder::new("foreign");
    assert_eq!(start(&folder.0, &KEY), (1, 0, 0));
    assert_eq!(start(&folder.0, &[8; 32]), (1, 0, 1), "another node's key");
    assert_eq!(start(&folder.0, &[8; 32]), (0, 1, 0));

    // Another component's code and tag under this one's name.
    let other = bare(r#"(func (export "init") (param i32 i32) unreachable)"#);
    let node = Node::cached(&folder.0, &[8; 32]);
    let ours = [only(&folder.0, "cwasm"), only(&folder.0, "tag")];
    drop(node.load(&other).unwrap());
    drop(node);
    for (path, extension) in ours.iter().zip(["cwasm", "tag"]) {
        let theirs = files(&folder.0, extension).into_iter().find(|file| file != path).unwrap();
        fs::rename(theirs, path).unwrap();
    }
    assert_eq!(start(&folder.0, &[8; 32]), (1, 0, 1), "another component's code");
}

#[test]
fn e13_code_made_for_other_settings_is_stale_even_with_a_valid_tag() {
    // An engine that copies memory images makes other code; its signed file is put where ours is
    // looked for.
    let (ours, theirs) = (Folder::new("ours"), Folder::new("theirs"));
    assert_eq!(start(&ours.0, &KEY), (1, 0, 0));
    let dir = theirs.0.to_str().unwrap();
    let other = Node::with(&kwe_engine_config {
        no_cow: 1,
        cache_dir: kwe_slice::of(dir.as_bytes()),
        cache_key: kwe_slice::of(&KEY),
        ..config()
    })
    .unwrap();
    let mut prints = [[0; 32]; 2];
    unsafe { kwe::kwe_engine_fingerprint(other.engine, prints[0].as_mut_ptr()) };
    unsafe { kwe::kwe_engine_fingerprint(Node::new().engine, prints[1].as_mut_ptr()) };
    assert_ne!(prints[0], prints[1]);
    drop(other.load(&component()).unwrap());
    for extension in ["cwasm", "tag"] {
        fs::rename(only(&theirs.0, extension), only(&ours.0, extension)).unwrap();
    }
    assert_eq!(start(&ours.0, &KEY), (1, 0, 1));
}

#[test]
fn what_an_interrupted_writer_left_is_swept() {
    let folder = Folder::new("swept");
    assert_eq!(start(&folder.0, &KEY), (1, 0, 0));
    let left = only(&folder.0, "cwasm").with_extension("999.0.tmp");
    fs::write(&left, b"half").unwrap();
    fs::remove_file(only(&folder.0, "cwasm")).unwrap();
    assert_eq!(start(&folder.0, &KEY).0, 1);
    assert!(!left.exists());
}

/// One of many components, all different.
fn numbered(number: usize) -> Vec<u8> {
    bare(&format!(r#"(func (export "init") (param i32 i32) (drop (i32.const {number})))"#))
}

/// Set in the child of the test below, which fills the cache there until it is killed.
const FILL: &str = "KWE_TEST_FILL_CACHE";

#[test]
fn e13_a_writer_that_is_killed_leaves_nothing_that_is_loaded_by_mistake() {
    if let Some(dir) = std::env::var_os(FILL) {
        let node = Node::cached(Path::new(&dir), &KEY);
        for number in 0.. {
            drop(node.load(&numbered(number)).unwrap());
        }
    }
    let name = "e13_a_writer_that_is_killed_leaves_nothing_that_is_loaded_by_mistake";
    // Until enough kills have hit what they were meant to hit.
    let (mut half_written, mut tag_alone, mut rounds) = (0, 0, 0);
    while half_written < 5 || tag_alone < 5 {
        assert!(rounds < 1000, "kills do not hit: {half_written} files, {tag_alone} pairs");
        // A tag has an even number, its code the next one: either is to be under way.
        let wanted = rounds % 2;
        rounds += 1;
        let folder = Folder::new("killed");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(FILL, &folder.0)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let under_way = |path: &PathBuf| {
            let name = path.with_extension("");
            let number = name.extension().expect("KEY.PROCESS.NUMBER.tmp").to_string_lossy();
            number.parse::<u64>().unwrap() % 2 == wanted
        };
        while !files(&folder.0, "tmp").iter().any(under_way) {
            assert!(child.try_wait().unwrap().is_none(), "it writes until it is killed");
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let (tags, codes) = (files(&folder.0, "tag"), files(&folder.0, "cwasm"));
        half_written += files(&folder.0, "tmp").len();
        tag_alone += tags.len() - codes.len();
        let node = Node::cached(&folder.0, &KEY);
        let count = tags.len() + 1;
        for number in 0..count {
            assert_eq!(node.process(&numbered(number)).run(&node).kind, EXIT_RETURNED);
        }
        let stats = node.stats();
        assert_eq!(stats.cache_rejects_total, 0, "what has its name is whole");
        assert_eq!(stats.disk_hits_total as usize, codes.len(), "and is used");
        assert_eq!(stats.compiles_total as usize, count - codes.len());
        assert!(files(&folder.0, "tmp").is_empty(), "the next writer has swept");
    }
}

/// A file of that size without a block on disk, unused since the beginning of time plus `age`.
fn old_entry(dir: &Path, name: &str, size: u64, age: u64) -> [PathBuf; 2] {
    let dir = dir.join("other-fingerprint").join("aa");
    fs::create_dir_all(&dir).unwrap();
    let code = dir.join(format!("{name}.cwasm"));
    let file = fs::File::create(&code).unwrap();
    file.set_len(size).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(age)).unwrap();
    let tag = dir.join(format!("{name}.tag"));
    fs::File::create(&tag).unwrap();
    [code, tag]
}

#[test]
fn the_longest_unused_code_makes_room_and_no_more_than_has_to() {
    const BYTES_MAX: u64 = 4 << 30;
    let folder = Folder::new("room");
    let dir = &folder.0;
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    let ours = || {
        let mut found = files(dir, "cwasm");
        found.retain(|path| !path.starts_with(dir.join("other-fingerprint")));
        found
    };
    let load = |number| {
        let node = Node::cached(dir, &KEY);
        drop(node.load(&numbered(number)).unwrap());
        node.stats().compiles_total
    };
    // An entry that was not used for long, but then is.
    assert_eq!(load(1), 1);
    let used = only(dir, "cwasm");
    let held = size(&used) + size(&only(dir, "tag"));
    fs::File::open(&used).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(load(1), 0);
    assert!(fs::metadata(&used).unwrap().modified().unwrap() > SystemTime::UNIX_EPOCH);

    let younger = old_entry(dir, "younger", 1 << 30, 200);
    let older = old_entry(dir, "older", BYTES_MAX - (1 << 30) - held - size(&used), 100);
    assert_eq!(load(2), 1);
    assert!(ours().iter().all(|path| size(path) == size(&used)), "exactly the limit");
    assert!(older.iter().chain(&younger).all(|path| path.exists()), "at the limit all stays");
    assert_eq!(load(3), 1);
    assert!(
        !older.iter().any(|path| path.exists()),
        "above it the longest unused goes, with its tag"
    );
    assert!(younger.iter().all(|path| path.exists()));
    assert_eq!(ours().len(), 3);
}

#[test]
fn a_cache_that_cannot_be_written_costs_compilations_and_is_said_once() {
    let folder = Folder::new("read-only");
    assert_eq!(start(&folder.0, &KEY), (1, 0, 0));
    let node = Node::cached(&folder.0, &KEY);
    let dirs = {
        let current = only(&folder.0, "cwasm").parent().unwrap().parent().unwrap().to_owned();
        [folder.0.clone(), current, only(&folder.0, "cwasm").parent().unwrap().to_owned()]
    };
    let allow = |mode| {
        for dir in &dirs {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let said = || {
        let log = LOG.lock().unwrap();
        log.iter()
            .filter(|line| line.contains("code_not_cached") && line.contains("denied"))
            .count()
    };
    allow(0o555);
    fs::set_permissions(folder.0.join("lock"), fs::Permissions::from_mode(0o400)).unwrap();
    // For root no folder is read-only: nobody looks at the files, in this thread.
    let root = unsafe { libc::geteuid() } == 0;
    if root {
        unsafe { libc::setfsuid(65_534) };
    }
    for number in 1..=3 {
        assert_eq!(node.process(&numbered(number)).run(&node).kind, EXIT_RETURNED);
    }
    if root {
        unsafe { libc::setfsuid(0) };
    }
    assert_eq!(node.stats().compiles_total, 3);
    assert_eq!(said(), 1);
    assert_eq!(files(&folder.0, "cwasm").len(), 1);

    // Once it can be written again, the next failure is news.
    allow(0o700);
    fs::set_permissions(folder.0.join("lock"), fs::Permissions::from_mode(0o600)).unwrap();
    drop(node.load(&numbered(4)).unwrap());
    assert_eq!(files(&folder.0, "cwasm").len(), 2);
    assert_eq!(said(), 1);
}

#[test]
fn an_unwritable_cache_costs_a_compilation_not_the_start() {
    let folder = Folder::new("full");
    let node = Node::cached(&folder.0, &KEY);
    // A file where the directory of the code would have to be.
    let guest = component();
    let current =
        fs::read_dir(&folder.0).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir()).unwrap();
    for byte in 0..=255 {
        fs::write(current.join(format!("{byte:02x}")), b"").unwrap();
    }
    assert_eq!(node.process(&guest).run(&node).kind, EXIT_RETURNED);
    assert_eq!(node.stats().compiles_total, 1);
    assert!(LOG.lock().unwrap().iter().any(|line| line.contains("code_not_cached")));
}
