//! The program as its users see it: files, messages, exit status.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("componentize-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.0.join(name), bytes).unwrap();
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().into()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_perdure-componentize")).args(arguments).output().unwrap()
}

fn fails(arguments: &[&str], status: i32, hints: &[&str]) {
    let output = run(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{text}");
    for hint in hints {
        assert!(text.contains(hint), "{hint} in {text}");
    }
}

fn is_component(path: &str) -> bool {
    fs::read(path).unwrap().starts_with(b"\0asm\x0d\0\x01\0")
}

const CORE: &str = r#"(module
    (import "hyperware:process/standard@1.0.0" "clear-state" (func $clear))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "init") (param i32 i32) call $clear (drop (call $random (i32.const 0) (i32.const 8)))))"#;

fn wit() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../../wit/hyperware-1.0.0")
        .to_str()
        .unwrap()
        .into()
}

#[test]
fn a_core_module_with_a_world_and_preview_1_imports_becomes_a_component() {
    let folder = Folder::new("core");
    let core = folder.file("core.wasm", &wat::parse_str(CORE).unwrap());
    let out = folder.path("out.wasm");
    let output = run(&[&core, "-o", &out, "--wit", &wit(), "--world", "process-v1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_component(&out));
    let left: Vec<_> = fs::read_dir(&folder.0).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing else is left behind");
    fails(&[&out, "-o", &folder.path("twice.wasm")], 1, &["out.wasm", "is a component already"]);
}

/// Serves `random_get` by an import of its own, which no other adapter has.
const ADAPTER: &str = r#"(module
    (import "hyperware:process/standard@1.0.0" "clear-state" (func $clear))
    (import "env" "memory" (memory 0))
    (func (export "random_get") (param i32 i32) (result i32) call $clear i32.const 0))"#;

#[test]
fn another_adapter_takes_the_place_of_the_one_built_in() {
    let folder = Folder::new("adapter");
    let core = folder.file("core.wasm", &wat::parse_str(CORE).unwrap());
    let adapter = folder.file("adapter.wasm", &wat::parse_str(ADAPTER).unwrap());
    let wit = wit();
    let with_wit = |out: &str, more: &[&str]| {
        let mut arguments = vec![&*core, "-o", out, "--wit", &wit, "--world", "process-v1"];
        arguments.extend_from_slice(more);
        let output = run(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(out).unwrap()
    };
    let names_wasi = |bytes: &[u8]| bytes.windows(11).any(|part| part == b"wasi:random");
    assert!(names_wasi(&with_wit(&folder.path("own.wasm"), &[])));
    assert!(!names_wasi(&with_wit(&folder.path("other.wasm"), &["--adapter", &adapter])));

    let out = folder.path("none.wasm");
    let text = folder.file("no.wasm", b"(module)");
    fails(&[&core, "-o", &out, "--adapter", "/no/adapter"], 1, &["/no/adapter", "cannot be read"]);
    fails(&[&core, "-o", &out, "--adapter", &text], 1, &["no.wasm", "no core module"]);
    fails(&["text", &text, "-o", &out, "--adapter", &adapter], 2, &["--adapter"]);
}

#[test]
fn text_becomes_a_component() {
    let folder = Folder::new("text");
    let text = folder.file("in.wat", b"(component)");
    let out = folder.path("out.wasm");
    assert!(run(&["text", &text, "-o", &out]).status.success());
    assert!(is_component(&out));
}

#[test]
fn failures_name_the_file_the_cause_and_the_cure_and_leave_the_output_alone() {
    let folder = Folder::new("failures");
    let out = folder.file("out.wasm", b"before");
    let core = folder.file("core.wasm", &wat::parse_str(CORE).unwrap());
    let wit = wit();
    fails(&["/no/file.wasm", "-o", &out], 1, &["/no/file.wasm", "cannot be read"]);
    fails(&[&core, "-o", &out], 1, &["core.wasm", "--wit"]);
    fails(
        &[&core, "-o", &out, "--wit", &wit, "--world", "none"],
        1,
        &["no world none", "process-v1"],
    );
    fails(&[&core, "-o", &out, "--wit", "/no/wit", "--world", "none"], 1, &["/no/wit"]);
    let text = folder.file("bad.wat", b"(component");
    fails(&["text", &text, "-o", &out], 1, &["bad.wat"]);
    fails(&[&text, "-o", &out], 1, &["no Wasm module"]);
    assert_eq!(fs::read(&out).unwrap(), b"before");
    fails(
        &["text", &folder.file("in.wat", b"(component)"), "-o", "/no/dir/out.wasm"],
        1,
        &["/no/dir"],
    );
}

#[test]
fn wrong_usage_is_status_2_and_help_is_0() {
    fails(&[], 2, &["input", "--help"]);
    fails(&["a.wasm"], 2, &["-o"]);
    fails(&["a.wasm", "-o"], 2, &["needs a value"]);
    fails(&["a.wasm", "b.wasm", "-o", "c"], 2, &["b.wasm"]);
    fails(&["a.wasm", "-o", "c", "--wit", "w"], 2, &["go together"]);
    fails(&["--what"], 2, &["--what"]);
    let help = run(&["--help"]);
    assert!(
        help.status.success() && String::from_utf8(help.stdout).unwrap().contains("Exit status")
    );
}
