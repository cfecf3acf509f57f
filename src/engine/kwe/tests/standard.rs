//! Every import of `standard` in every version (E-2, E-3), suspension (E-7), kills (E-8), one copy
//! and pinning (E-6).

mod support;

use kwe::abi::*;
use support::*;
use wit_parser::abi::{AbiVariant, WasmType};

/// A function of an interface as its core import looks.
struct Import {
    name: String,
    params: Vec<&'static str>,
    results: Vec<&'static str>,
    has_return_area: bool,
}

fn imports(dir: &str) -> Vec<Import> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit(dir)).unwrap();
    let interface = resolve.packages[package].interfaces["standard"];
    let flat = |types: &[WasmType]| {
        types
            .iter()
            .map(|ty| match ty {
                WasmType::I64 | WasmType::PointerOrI64 => "i64",
                WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let functions = resolve.interfaces[interface].functions.values();
    functions
        .map(|function| {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
            Import {
                name: function.name.clone(),
                params: flat(&signature.params),
                results: flat(&signature.results),
                has_return_area: signature.retptr,
            }
        })
        .collect()
}

/// A guest that calls one import with "zero" in every argument: empty lists and texts, absent
/// options.
fn caller(dir: &str, world: &str, interface: &str, import: &Import) -> Vec<u8> {
    caller_that_then(dir, world, interface, import, "")
}

fn caller_that_then(
    dir: &str,
    world: &str,
    interface: &str,
    import: &Import,
    then: &str,
) -> Vec<u8> {
    let last = import.params.len().wrapping_sub(1);
    let arguments: String = import
        .params
        .iter()
        .enumerate()
        .map(|(i, ty)| {
            let value = if import.has_return_area && i == last { 2048 } else { 0 };
            format!("{ty}.const {value} ")
        })
        .collect();
    let core = module(
        &format!(
            r#"(import "{interface}" "{}" (func $f (param {}) (result {})))"#,
            import.name,
            import.params.join(" "),
            import.results.join(" ")
        ),
        &format!(
            r#"(func (export "init") (param i32 i32) {arguments} call $f {} {then})"#,
            "drop ".repeat(import.results.len())
        ),
    );
    guest_of(dir, world, &core)
}

/// The callback behind an import.
fn callback(import: &str) -> &'static str {
    match import {
        "print-to-terminal" => "print",
        "our" => "our",
        "get-on-exit" => "get_on_exit",
        "set-on-exit" => "set_on_exit",
        "get-state" => "get_state",
        "set-state" => "set_state",
        "clear-state" => "clear_state",
        "spawn" => "spawn",
        "save-capabilities" => "save_caps",
        "drop-capabilities" => "drop_caps",
        "our-capabilities" => "our_caps",
        "receive" => "receive",
        "has-blob" => "has_blob",
        "get-blob" | "last-blob" => "get_blob",
        "send-request" | "send-requests" => "send_requests",
        "send-response" => "send_response",
        "send-and-await-response" => "send_and_await",
        other => panic!("no callback for {other}"),
    }
}

const SUSPENDING: [&str; 9] = [
    "spawn",
    "save_caps",
    "drop_caps",
    "our_caps",
    "receive",
    "get_blob",
    "get_state",
    "set_state",
    "clear_state",
];

fn suspends(callback: &str) -> bool {
    SUSPENDING.contains(&callback) || callback == "send_and_await"
}

#[test]
fn every_import_of_every_version_reaches_its_callback() {
    let node = Node::new();
    let mut numbers = vec![];
    for (bit, (dir, world, interface)) in VERSIONS.into_iter().enumerate() {
        let imports = imports(dir);
        numbers.push(imports.len());
        for import in &imports {
            let component = node.load(&caller(dir, world, interface, import)).unwrap();
            assert_eq!(component.standard(), 1 << bit, "{interface}");
            let mut process = component.process(Script::default(), 0);
            let exit = process.run(&node);
            assert_eq!(exit.kind, EXIT_RETURNED, "{interface} {}: {exit:?}", import.name);
            assert_eq!(process.script().calls, [callback(&import.name)], "{interface}");
        }
    }
    assert_eq!(numbers, [16, 16, 19, 19]);
}

#[test]
fn e7_calls_that_wait_suspend_only_their_guest_and_go_on_when_asked_again() {
    let node = Node::new();
    let (dir, world, interface) = VERSIONS[3];
    for import in imports(dir).iter().filter(|import| suspends(callback(&import.name))) {
        let name = callback(&import.name);
        let script = Script { pending: [(name, 2)].into(), ..Default::default() };
        let mut process = node.process_with(&caller(dir, world, interface, import), script, 0);
        assert_eq!(process.poll(), P_BLOCKED, "{name}");
        let mut other = node.process(&bare(r#"(func (export "init") (param i32 i32))"#));
        assert_eq!(other.poll(), P_DONE, "another guest runs meanwhile");
        assert_eq!(process.poll(), P_BLOCKED, "{name}: polled too early");
        assert_eq!(process.poll(), P_DONE, "{name}");
        assert_eq!(process.exit().kind, EXIT_RETURNED);
        let again = format!("{name}+");
        assert_eq!(process.script().calls, [name, &again, &again]);
    }
}

#[test]
fn e8_a_guest_is_killed_wherever_it_waits() {
    let node = Node::new();
    for (dir, world, interface) in VERSIONS {
        for import in imports(dir).iter().filter(|import| suspends(callback(&import.name))) {
            let name = callback(&import.name);
            let script = Script { pending: [(name, FOREVER)].into(), ..Default::default() };
            let mut process = node.process_with(&caller(dir, world, interface, import), script, 0);
            assert_eq!(process.poll(), P_BLOCKED, "{interface} {name}");
            process.kill();
            assert_eq!(process.script().wakes.load(std::sync::atomic::Ordering::Relaxed), 1);
            assert_eq!(process.poll(), P_DONE, "{interface} {name}");
            assert_eq!(process.exit().kind, EXIT_KILLED, "{interface} {name}");
            assert_eq!(process.script().calls, [name], "a killed guest asks nothing more");
        }
    }
}

/// Also of those that never wait.
#[test]
fn e8_a_guest_is_killed_in_the_middle_of_any_call() {
    let node = Node::new();
    let _ticker = Ticker::start(&node);
    for (dir, world, interface) in VERSIONS {
        for import in imports(dir) {
            let name = callback(&import.name);
            let bytes = caller_that_then(dir, world, interface, &import, "(loop $l br $l)");
            let mut process = node.process_with(&bytes, Script::default(), 0);
            let handle = process.handle;
            process.script().killed_in = Some((name, handle));
            while process.poll() != P_DONE {}
            assert_eq!(process.exit().kind, EXIT_KILLED, "{interface} {name}");
            assert_eq!(process.script().calls, [name], "{interface}");
        }
    }
    assert_eq!(node.stats().instances, 0);
}

#[test]
fn e8_a_guest_is_killed_before_it_starts_while_it_starts_yields_and_spins() {
    let node = Node::new();
    let spin = r#"(func $spin (loop $l br $l))"#;
    let in_init = bare(&format!(r#"{spin} (func (export "init") (param i32 i32) call $spin)"#));
    let at_start = bare(&format!(r#"{spin} (start $spin) (func (export "init") (param i32 i32))"#));

    let mut process = node.process(&in_init);
    process.kill();
    assert_eq!(process.poll(), P_DONE);
    assert_eq!(process.exit().kind, EXIT_KILLED, "before its first poll");
    drop(process);

    for guest in [&at_start, &in_init] {
        let _ticker = Ticker::start(&node);
        let mut process = node.process(guest);
        assert_eq!([process.poll(), process.poll()], [P_YIELDED; 2]);
        process.kill();
        assert_eq!(process.poll(), P_DONE);
        assert_eq!(process.exit().kind, EXIT_KILLED, "while it had yielded");
        drop(process);

        // While it runs: the host answers "go on" until another thread has killed it.
        let script = Script { on_tick: TICK_CONTINUE, ..Default::default() };
        let mut process = node.process_with(guest, script, 0);
        let (handle, script) = (process.handle as usize, process.script() as *mut Script as usize);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Once it has been asked at a tick, it is running.
                let ticks = unsafe { &raw const (*(script as *const Script)).ticks };
                while unsafe { ticks.read_volatile() } == 0 {
                    std::thread::yield_now();
                }
                unsafe { kwe::kwe_process_kill(handle as *mut _) };
            });
            assert_eq!(process.poll(), P_DONE);
        });
        assert_eq!(process.exit().kind, EXIT_KILLED, "while it ran");
    }
    let script = Script { on_tick: TICK_KILL, ..Default::default() };
    assert_eq!(node.process_with(&in_init, script, 0).run(&node).kind, EXIT_KILLED, "by on_tick");
}

/// A guest that receives one message and prints its body; its allocator takes `spins` turns of a
/// loop.
fn slow_reader(spins: u32) -> Vec<u8> {
    let core = format!(
        r#"(module
            (import "{NEWEST}" "receive" (func $receive (param i32)))
            (import "{NEWEST}" "print-to-terminal" (func $print (param i32 i32 i32)))
            (memory (export "memory") 2)
            (global $top (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $i i32)
                (loop $l
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $l (i32.lt_u (local.get $i) (i32.const {spins}))))
                (global.set $top (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
                global.get $top
                (global.set $top (i32.add (global.get $top) (local.get 3))))
            (func (export "init") (param i32 i32)
                (call $receive (i32.const 1024))
                ;; result, tuple, address of 32 bytes, message, request: the body stands at 72.
                (call $print (i32.const 0) (i32.load (i32.const 1096)) (i32.load (i32.const 1100)))))"#
    );
    guest_of("hyperware-1.0.0", "process-v1", &core)
}

#[test]
fn e6_lowering_may_be_suspended_half_way_and_what_was_handed_out_stays() {
    let node = Node::new();
    let body = "the body of the message, whole".repeat(50);
    let script = Script { messages: [body.clone().into_bytes()].into(), ..Default::default() };
    let mut process = node.process_with(&slow_reader(20_000_000), script, 0);
    let mut yields_while_lowering = 0;
    let _ticker = Ticker::start(&node);
    loop {
        match process.poll() {
            P_DONE => break,
            _ if process.script().saw("receive") && !process.script().saw("print") => {
                yields_while_lowering += 1;
            }
            _ => {}
        }
    }
    assert!(
        yields_while_lowering > 2,
        "it yielded inside cabi_realloc ({yields_while_lowering}), ticks {}",
        process.script().ticks
    );
    assert_eq!(process.exit().kind, EXIT_RETURNED);
    assert_eq!(process.script().prints, [body]);
}

#[test]
fn e8_a_guest_is_killed_while_a_result_is_being_lowered() {
    let node = Node::new();
    let mut process = node.process(&slow_reader(u32::MAX));
    let _ticker = Ticker::start(&node);
    while !process.script().saw("receive") {
        assert_eq!(process.poll(), P_YIELDED);
    }
    process.kill();
    assert_eq!(process.poll(), P_DONE);
    assert_eq!(process.exit().kind, EXIT_KILLED);
    assert!(!process.script().saw("print"));
}

#[test]
fn a_suspended_guest_is_deleted_where_it_is() {
    let node = Node::new();
    let script = Script { pending: [("receive", FOREVER)].into(), ..Default::default() };
    let mut process = node.process_with(&slow_reader(1), script, 0);
    assert_eq!(process.poll(), P_BLOCKED);
    assert_eq!(node.stats().instances, 1);
    assert!(process.memory_bytes() >= 2 << 16);
    drop(process);
    assert_eq!(node.stats().instances, 0);
}

#[test]
fn versions_can_be_imported_together() {
    // One component text with functions of all four.
    let each = |line: fn(usize, &str) -> String| -> String {
        VERSIONS.iter().enumerate().map(|(i, (.., interface))| line(i, interface)).collect()
    };
    let text = format!(
        r#"(component
            {} {}
            (core module $m
                {}
                (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
                (func (export "init") (param i32 i32) {}))
            (core instance $i (instantiate $m (with "" (instance {}))))
            (func (export "init") (param "our" string)
                (canon lift (core func $i "init") (memory $i "memory") (realloc (func $i "cabi_realloc")))))"#,
        each(|i, name| format!(
            r#"(import "{name}" (instance $s{i} (export "clear-state" (func))))"#
        )),
        each(|i, _| format!(r#"(core func $c{i} (canon lower (func $s{i} "clear-state")))"#)),
        each(|i, _| format!(r#"(import "" "c{i}" (func $c{i}))"#)),
        each(|i, _| format!("call $c{i} ")),
        each(|i, _| format!(r#"(export "c{i}" (func $c{i}))"#)),
    );
    let node = Node::new();
    let component =
        node.load(&wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))).unwrap();
    assert_eq!(component.standard(), 15);
    let mut process = component.process(Script::default(), 0);
    assert_eq!(process.run(&node).kind, EXIT_RETURNED);
    assert_eq!(process.script().calls, ["clear_state"; 4]);
}

/// A guest that works after a send, and the answer that asks it to give way.
fn asked_to_give_way(node: &Node) -> Process {
    let (dir, world, interface) = VERSIONS[3];
    let imports = imports(dir);
    let import = imports.iter().find(|import| import.name == "send-requests").unwrap();
    let core = module(
        &format!(r#"(import "{interface}" "send-requests" (func $send (param i32 i32)))"#),
        r#"(func $work) (func (export "init") (param i32 i32)
            (call $send (i32.const 0) (i32.const 0)) call $work)"#,
    );
    assert_eq!(import.params, ["i32", "i32"]);
    let script = Script { pending: [("send_requests", 1)].into(), ..Default::default() };
    node.process_with(&guest_of(dir, world, &core), script, 0)
}

#[test]
fn a_send_that_is_asked_to_give_way_ends_the_slice_without_a_tick() {
    let node = Node::new();
    let mut process = asked_to_give_way(&node);
    assert_eq!(process.poll(), P_YIELDED);
    assert_eq!(process.script().ticks, 1);
    assert_eq!(process.poll(), P_DONE);
    assert_eq!(process.script().calls, ["send_requests"], "the send was done at once");
}

#[test]
fn without_epoch_checks_nothing_ends_a_slice() {
    let node = Node::with(&kwe_engine_config { no_epochs: 1, ..config() }).unwrap();
    let mut process = asked_to_give_way(&node);
    assert_eq!(process.poll(), P_DONE);
    assert_eq!(process.script().ticks, 0);
}

#[test]
fn a_fault_of_a_callback_ends_the_process_with_its_text() {
    let node = Node::new();
    let (dir, world, interface) = VERSIONS[3];
    for import in &imports(dir) {
        let name = callback(&import.name);
        let script = Script { fault: Some(name), ..Default::default() };
        let mut process = node.process_with(&caller(dir, world, interface, import), script, 0);
        let exit = process.run(&node);
        assert_eq!((exit.kind, &*exit.text), (EXIT_FAULTED, "the script says so"), "{name}");
    }
}

#[test]
fn blobs_from_one_byte_to_megabytes_pass_whole() {
    // get-blob, then set-state with its bytes.
    let core = r#"(module
        (import "hyperware:process/standard@1.0.0" "get-blob" (func $blob (param i32)))
        (import "hyperware:process/standard@1.0.0" "set-state" (func $set (param i32 i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1))))
            i32.const 4096)
        (func (export "init") (param i32 i32)
            (call $blob (i32.const 1024))
            ;; option, blob, mime of 12 bytes, bytes at 16
            (call $set (i32.load (i32.const 1040)) (i32.load (i32.const 1044)))))"#;
    let node = Node::new();
    let guest = guest_of("hyperware-1.0.0", "process-v1", core);
    for size in [1, 4095, 65536, 1 << 20, 32 << 20] {
        let blob: Vec<u8> = (0..size).map(|i| (i * 7 + i / 251) as u8).collect();
        let script = Script { blob: Some(blob.clone()), ..Default::default() };
        let mut process = node.process_with(&guest, script, 0);
        assert_eq!(process.run(&node).kind, EXIT_RETURNED, "{size}");
        assert!(process.script().state.as_ref() == Some(&blob), "{size}");
    }
}

#[test]
fn malformed_text_and_pointers_out_of_bounds_trap_the_guest() {
    let node = Node::new();
    for (arguments, text) in [
        ("(i32.const 0) (i32.const -8) (i32.const 100)", "out of bounds"),
        ("(i32.const 0) (i32.const 16) (i32.const 4)", "utf-8"),
    ] {
        let guest = guest(
            &format!(
                r#"(import "{NEWEST}" "print-to-terminal" (func $print (param i32 i32 i32)))"#
            ),
            &format!(
                r#"(func (export "init") (param i32 i32)
                    (i32.store (i32.const 16) (i32.const -1)) (call $print {arguments}))"#
            ),
        );
        let mut process = node.process(&guest);
        let exit = process.run(&node);
        assert_eq!((exit.kind, exit.code), (EXIT_TRAPPED, -1), "{exit:?}");
        assert!(exit.text.contains(text), "{exit:?}");
        assert!(process.script().calls.is_empty());
    }
}
