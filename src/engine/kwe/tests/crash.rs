//! How processes end (E-10), what they cannot do to the node (E-17, E-18), and what is left
//! afterwards.

mod support;

use kwe::abi::*;
use kwe::*;
use support::*;

fn ends(node: &Node, body: &str) -> Exit {
    node.process(&bare(body)).run(node)
}

#[test]
fn a_return_is_a_return() {
    let node = Node::new();
    let exit = ends(&node, r#"(func (export "init") (param i32 i32))"#);
    assert_eq!((exit.kind, exit.code, &*exit.text), (EXIT_RETURNED, 0, ""));
    assert!(exit.functions.is_empty());
}

#[test]
fn traps_are_named_with_the_frames_that_led_there() {
    let node = Node::new();
    for (instructions, text) in [
        ("unreachable", "wasm `unreachable` instruction executed"),
        ("(drop (i32.div_u (i32.const 1) (local.get 0)))", "wasm trap: integer divide by zero"),
        ("(drop (i32.load (i32.const -8)))", "wasm trap: out of bounds memory access"),
    ] {
        let body = format!(
            r#"(func $inner (param i32) {instructions})
               (func $_ZN5outer4funcEv (call $inner (i32.const 0)))
               (func $main (export "init") (param i32 i32) call $_ZN5outer4funcEv)"#
        );
        let exit = ends(&node, &body);
        assert_eq!(exit.kind, EXIT_TRAPPED, "{exit:?}");
        assert!(exit.code >= 0);
        assert!(text.ends_with(&exit.text) || exit.text.contains(text), "{exit:?}");
        assert_eq!(exit.functions, ["inner", "outer::func()", "main"]);
    }
}

#[test]
fn endless_recursion_is_a_stack_overflow_with_32_frames() {
    let node = Node::new();
    let exit = ends(
        &node,
        r#"(func $deep (export "init") (param i32 i32) (call $deep (i32.const 1) (i32.const 2)))"#,
    );
    assert_eq!(exit.kind, EXIT_TRAPPED);
    assert!(exit.text.contains("call stack exhausted"), "{exit:?}");
    assert_eq!(exit.functions.len(), 32);
}

const HOG: &str = r#"(func (export "init") (param i32 i32)
    (loop $l
        (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable)"#;

#[test]
fn a_memory_hog_is_refused_memory_and_its_end_is_named_so() {
    let node = Node::new();
    let guest = bare(HOG);
    for limit in [2 << 20, 0] {
        let mut process = node.process_with(&guest, Script::default(), limit);
        let exit = process.run(&node);
        assert_eq!(exit.kind, EXIT_MEMORY_LIMIT, "{exit:?}");
        let most = if limit == 0 { config().max_memory_bytes } else { limit };
        assert!(exit.text.contains(&most.to_string()), "{exit:?}");
        assert!(process.memory_bytes() <= most && process.memory_bytes() > most - (2 << 20));
    }
}

#[test]
fn e10_a_refusal_stands_although_a_smaller_growth_is_granted() {
    // An allocator that gives up grows once more, for the text of its panic.
    let node = Node::new();
    let text = r#"(func (export "init") (param i32 i32)
        (drop (memory.grow (i32.const 60000))) (drop (memory.grow (i32.const 1))) unreachable)"#;
    let exit = ends(&node, text);
    assert_eq!(exit.kind, EXIT_MEMORY_LIMIT, "{exit:?}");
    assert!(exit.text.contains("unreachable"), "the trap itself is named too: {exit:?}");
    assert_eq!(exit.functions.len(), 1);
}

#[test]
fn e10_a_guest_that_copes_with_refused_memory_is_not_ended_for_it() {
    let node = Node::new();
    let body = r#"(func (export "init") (param i32 i32) (drop (memory.grow (i32.const 60000))))"#;
    assert_eq!(ends(&node, body).kind, EXIT_RETURNED);
    // Nor is a trap blamed on it once the guest has waited for something: for a message, at once
    // there or not, or for an answer.
    let imports = format!(
        r#"(import "{NEWEST}" "receive" (func $receive (param i32)))
           (import "{NEWEST}" "send-and-await-response" (func $await (param i32 i32)))"#
    );
    for wait in ["(call $receive (i32.const 1024))", "(call $await (i32.const 0) (i32.const 1024))"]
    {
        let body = format!(
            r#"(func (export "init") (param i32 i32)
                (drop (memory.grow (i32.const 60000))) {wait} unreachable)"#
        );
        for pending in [0, 3] {
            let pending = [("receive", pending), ("send_and_await", pending)].into();
            let script = Script { pending, ..Default::default() };
            let exit = node.process_with(&guest(&imports, &body), script, 0).run(&node);
            assert_eq!(exit.kind, EXIT_TRAPPED, "{wait}: {exit:?}");
        }
    }
    // Calls that are answered at once are no wait: an allocator's last words come through one.
    let imports =
        format!(r#"(import "{NEWEST}" "print-to-terminal" (func $print (param i32 i32 i32)))"#);
    let body = r#"(func (export "init") (param i32 i32) (drop (memory.grow (i32.const 60000)))
        (call $print (i32.const 0) (i32.const 0) (i32.const 0)) unreachable)"#;
    assert_eq!(node.process(&guest(&imports, body)).run(&node).kind, EXIT_MEMORY_LIMIT);
}

#[test]
fn a_memory_that_is_too_large_from_the_start_is_a_memory_limit() {
    let node = Node::new();
    let guest = bare(r#"(func (export "init") (param i32 i32))"#);
    let exit = node.process_with(&guest, Script::default(), 4096).run(&node);
    assert_eq!(exit.kind, EXIT_MEMORY_LIMIT, "{exit:?}");
}

#[test]
fn a_full_pool_is_a_limit_that_passes() {
    let node = Node::with(&kwe_engine_config { max_processes: 3, ..config() }).unwrap();
    let guest = guest(
        &format!(r#"(import "{NEWEST}" "receive" (func $receive (param i32)))"#),
        r#"(func (export "init") (param i32 i32) (call $receive (i32.const 1024)))"#,
    );
    let blocked = || Script { pending: [("receive", FOREVER)].into(), ..Default::default() };
    let mut living: Vec<Process> =
        (0..3).map(|_| node.process_with(&guest, blocked(), 0)).collect();
    for process in &mut living {
        assert_eq!(process.poll(), P_BLOCKED);
    }
    let mut process = node.process_with(&guest, blocked(), 0);
    assert_eq!(process.poll(), P_DONE);
    let exit = process.exit();
    assert_eq!((exit.kind, exit.code), (EXIT_START_FAILED, E_LIMIT), "{exit:?}");
    assert_eq!(node.stats().instances, 3);

    living.pop();
    let mut process = node.process_with(&guest, blocked(), 0);
    assert_eq!(process.poll(), P_BLOCKED, "a slot is free again");
}

#[test]
fn e17_panics_anywhere_end_the_process_and_nothing_else() {
    let node = Node::new();
    let guest = guest(
        &format!(r#"(import "{NEWEST}" "print-to-terminal" (func $print (param i32 i32 i32)))"#),
        r#"(func (export "init") (param i32 i32)
            (call $print (i32.const 0) (i32.const 0) (i32.const 0)) (loop $l br $l))"#,
    );
    for (place, name) in
        [(PANIC_IN_POLL, "poll"), (PANIC_IN_CALLBACK, "callback"), (PANIC_IN_TICK, "tick")]
    {
        let mut process = node.process(&guest);
        unsafe { kwe_test_panic(process.handle, place) };
        let exit = process.run(&node);
        assert_eq!(exit.kind, EXIT_PANICKED, "{name}: {exit:?}");
        assert!(exit.text.contains("asked for by a test"), "{name}: {exit:?}");
        assert_eq!(process.poll(), P_DONE, "{name}: a dead process stays dead");
    }
    let mut process = node.process(&bare(r#"(func (export "init") (param i32 i32))"#));
    assert_eq!(process.run(&node).kind, EXIT_RETURNED, "others go on");
    assert!(LOG.lock().unwrap().iter().any(|line| line.contains("engine_panicked")));
}

#[test]
fn a_process_may_be_polled_by_another_thread_each_time() {
    let node = Node::new();
    let guest = guest(
        &format!(r#"(import "{NEWEST}" "receive" (func $receive (param i32)))"#),
        r#"(func (export "init") (param i32 i32) (call $receive (i32.const 1024)))"#,
    );
    let script = Script { pending: [("receive", 200)].into(), ..Default::default() };
    let mut process = node.process_with(&guest, script, 0);
    for _ in 0..200 {
        let handle = process.handle as usize;
        let poll = move || unsafe { kwe_process_poll(handle as *mut ProcessHandle) };
        assert_eq!(std::thread::spawn(poll).join().unwrap(), P_BLOCKED);
    }
    assert_eq!(process.poll(), P_DONE);
}

#[test]
fn what_a_guest_can_ask_of_the_host_in_one_call_is_bounded() {
    // 20 million capabilities of zero bytes each lie in 64 MiB only if they overlap; the lift is
    // charged for each.
    let guest = guest(
        &format!(r#"(import "{NEWEST}" "save-capabilities" (func $save (param i32 i32)))"#),
        r#"(func (export "init") (param i32 i32)
            (drop (memory.grow (i32.const 1000)))
            (call $save (i32.const 0) (i32.const 1600000)))"#,
    );
    let node = Node::new();
    let mut process = node.process(&guest);
    let exit = process.run(&node);
    assert_eq!(exit.kind, EXIT_TRAPPED, "{exit:?}");
    assert!(exit.text.contains("fuel"), "{exit:?}");
    assert!(process.script().calls.is_empty());
}

#[test]
fn settings_that_cannot_be_served_are_refused_with_a_reason() {
    let refused = |config: &kwe_engine_config| match Node::with(config) {
        Ok(_) => panic!("accepted"),
        Err(failure) => failure,
    };
    for mode in [2, 3] {
        let (code, text) = refused(&kwe_engine_config { mode, ..config() });
        assert_eq!(code, E_INVALID);
        assert!(text.contains("not built yet"), "{text}");
    }
    assert_eq!(refused(&kwe_engine_config { max_memory_bytes: 5 << 30, ..config() }).0, E_INVALID);
    let dir = kwe_slice::of(b"/tmp");
    assert_eq!(refused(&kwe_engine_config { cache_dir: dir, ..config() }).0, E_INVALID);
    let dir = kwe_slice::of(b"/proc/no");
    let key = kwe_slice::of(&[0; 32]);
    assert_eq!(refused(&kwe_engine_config { cache_dir: dir, cache_key: key, ..config() }).0, E_OS);
}

#[test]
fn e14_the_engine_says_in_one_line_how_many_processes_it_takes_and_why() {
    // More than any vm.max_map_count in use allows in mode FAST, so the clamp always shows.
    let node = Node::with(&kwe_engine_config { max_processes: 4_000_000_000, ..config() }).unwrap();
    let taken = node.stats().max_processes;
    assert!(taken >= 1 && taken < 4_000_000_000);
    let log = LOG.lock().unwrap();
    let lines: Vec<_> = log.iter().filter(|line| line.contains("asked=4000000000")).collect();
    assert_eq!(lines.len(), 1, "{log:?}");
    assert!(
        lines[0].contains("mode=fast") && lines[0].contains(&format!("max_processes={taken} "))
    );
    assert!(lines[0].contains("reason="));
}
