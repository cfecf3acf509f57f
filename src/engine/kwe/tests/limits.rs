//! What bounds a guest and the library itself: each limit holds at its value, and one more is
//! refused.

mod support;

use kwe::abi::*;
use support::*;

const RANDOM_BYTES_MAX: u64 = 16 << 20;
const WRITE_BYTES_MAX: u64 = 64 << 10;
const HANDLES_MAX: u32 = 10_000;
const TABLE_ELEMENTS_MAX: u32 = 20_000;
const TABLES_PER_PROCESS: usize = 8;
const TABLES_PER_MODULE: usize = 4;
const MEMORIES_PER_PROCESS: usize = 2;
const INSTANCES_PER_PROCESS: usize = 16;
const RECENT_MAX: u64 = 256;

/// A component that imports functions of WASI and calls them from `init`, whose memory has room for
/// 18 MiB behind the address that its allocator always returns.
fn wasi_guest(types: &str, lowered: &str, core_imports: &str, init: &str) -> Vec<u8> {
    let functions: String = core_imports
        .split_whitespace()
        .filter_map(|word| word.strip_prefix('$'))
        .map(|word| word.trim_end_matches(')'))
        .map(|name| format!(r#"(export "{name}" (func ${name}))"#))
        .collect();
    let text = format!(
        r#"(component
            {types}
            (core module $memory (memory (export "memory") 300)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536))
            (core instance $mem (instantiate $memory))
            {lowered}
            (core module $m {core_imports}
                (import "mem" "memory" (memory 1))
                (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
                (func (export "init") (param i32 i32) (local $i i32) {init}))
            (core instance $i (instantiate $m (with "" (instance {functions})) (with "mem" (instance $mem))))
            (func (export "init") (param "our" string)
                (canon lift (core func $i "init") (memory $mem "memory") (realloc (func $mem "cabi_realloc")))))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn random_bytes_come_sixteen_mib_at_a_time() {
    let node = Node::new();
    for (interface, function) in
        [("random", "get-random-bytes"), ("insecure", "get-insecure-random-bytes")]
    {
        let guest = |bytes: u64| {
            wasi_guest(
                &format!(
                    r#"(import "wasi:random/{interface}@0.2.0" (instance $random
                        (export "{function}" (func (param "len" u64) (result (list u8))))))"#
                ),
                &format!(
                    r#"(core func $draw (canon lower (func $random "{function}")
                        (memory $mem "memory") (realloc (func $mem "cabi_realloc"))))"#
                ),
                r#"(import "" "draw" (func $draw (param i64 i32)))"#,
                &format!(
                    "(call $draw (i64.const {bytes}) (i32.const 16))
                     (call $must (i32.eq (i32.load (i32.const 20)) (i32.const {})))",
                    bytes as u32
                ),
            )
        };
        let mut process = node.process(&guest(RANDOM_BYTES_MAX));
        let exit = process.run(&node);
        assert_eq!(exit.kind, EXIT_RETURNED, "{exit:?}");
        for bytes in [RANDOM_BYTES_MAX + 1, u64::MAX] {
            let mut process = node.process(&guest(bytes));
            let exit = process.run(&node);
            assert_eq!(exit.kind, EXIT_TRAPPED, "{exit:?}");
            let wanted = format!("{bytes} random bytes asked for at once; at most 16777216");
            assert!(exit.text.contains(&wanted), "{}", exit.text);
            assert!(!process.script().saw("random"));
        }
    }
}

/// A guest with its error stream in hand.
fn writer(init: &str) -> Vec<u8> {
    wasi_guest(
        r#"(import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
           (alias export $error "error" (type $error-type))
           (import "wasi:io/streams@0.2.0" (instance $streams
               (export "output-stream" (type $out (sub resource)))
               (alias outer 1 $error-type (type $e')) (export "error" (type $e (eq $e')))
               (type $failure' (variant (case "last-operation-failed" (own $e)) (case "closed")))
               (export "stream-error" (type $failure (eq $failure')))
               (export "[method]output-stream.check-write"
                   (func (param "self" (borrow $out)) (result (result u64 (error $failure)))))
               (export "[method]output-stream.write-zeroes"
                   (func (param "self" (borrow $out)) (param "len" u64) (result (result (error $failure)))))))
           (alias export $streams "output-stream" (type $stream))
           (import "wasi:cli/stderr@0.2.0" (instance $stderr
               (alias outer 1 $stream (type $s')) (export "output-stream" (type $s (eq $s')))
               (export "get-stderr" (func (result (own $s))))))"#,
        r#"(core func $get (canon lower (func $stderr "get-stderr")))
           (core func $room (canon lower (func $streams "[method]output-stream.check-write") (memory $mem "memory")))
           (core func $zeroes (canon lower (func $streams "[method]output-stream.write-zeroes") (memory $mem "memory")))"#,
        r#"(import "" "get" (func $get (result i32)))
           (import "" "room" (func $room (param i32 i32)))
           (import "" "zeroes" (func $zeroes (param i32 i64 i32)))"#,
        init,
    )
}

#[test]
fn a_stream_takes_sixty_four_kib_of_zeroes_at_once_and_says_so() {
    let node = Node::new();
    for (asked, written) in [
        (WRITE_BYTES_MAX - 1, WRITE_BYTES_MAX - 1),
        (WRITE_BYTES_MAX, WRITE_BYTES_MAX),
        (WRITE_BYTES_MAX + 1, WRITE_BYTES_MAX),
        (u64::MAX, WRITE_BYTES_MAX),
    ] {
        let mut process = node.process(&writer(&format!(
            "(local.set $i (call $get))
             (call $room (local.get $i) (i32.const 16))
             (call $must (i32.eqz (i32.load8_u (i32.const 16))))
             (call $must (i64.eq (i64.load (i32.const 24)) (i64.const {WRITE_BYTES_MAX})))
             (call $zeroes (local.get $i) (i64.const {}) (i32.const 16))
             (call $must (i32.eqz (i32.load8_u (i32.const 16))))",
            asked as i64
        )));
        let exit = process.run(&node);
        assert_eq!(exit.kind, EXIT_RETURNED, "{exit:?}");
        assert_eq!(process.script().stderr.len() as u64, written, "{asked}");
    }
}

#[test]
fn a_guest_holds_ten_thousand_handles_and_the_next_one_traps_it() {
    let node = Node::new();
    for (handles, kind) in [(HANDLES_MAX, EXIT_RETURNED), (HANDLES_MAX + 1, EXIT_TRAPPED)] {
        let mut process = node.process(&writer(&format!(
            "(loop $l
                (call $must (call $get))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const {handles}))))"
        )));
        let exit = process.run(&node);
        assert_eq!(exit.kind, kind, "{handles}: {exit:?}");
    }
}

#[test]
fn a_table_has_as_many_elements_as_its_process_may_have_and_no_more() {
    let node = Node::new();
    let grower = |elements: u32, answer: i32| {
        bare(&format!(
            r#"(table $t 1 funcref)
               (func (export "init") (param i32 i32)
                   (if (i32.ne (table.grow $t (ref.null func) (i32.const {})) (i32.const {answer}))
                       (then unreachable)))"#,
            elements - 1
        ))
    };
    for (limit, most) in [(0, TABLE_ELEMENTS_MAX), (100, 100), (u32::MAX, TABLE_ELEMENTS_MAX)] {
        let limits = kwe_limits { table_elements: limit, ..Default::default() };
        for (elements, answer) in [(most, 1), (most + 1, -1)] {
            let component = node.load(&grower(elements, answer)).unwrap();
            let mut process = component.process_within(Script::default(), limits);
            let exit = process.run(&node);
            assert_eq!(exit.kind, EXIT_RETURNED, "{limit}: {elements} elements: {exit:?}");
        }
    }

    let declared = |elements: u32| {
        bare(&format!(r#"(table {elements} funcref) (func (export "init") (param i32 i32))"#))
    };
    assert_eq!(node.process(&declared(TABLE_ELEMENTS_MAX)).run(&node).kind, EXIT_RETURNED);
    assert_eq!(node.refusal(&declared(TABLE_ELEMENTS_MAX + 1)).0, E_LIMIT);
}

/// A component of `counts.len()` core instances beside the one that has `init`, each of a module of
/// its own with so many of `item`.
fn instances_with(counts: &[usize], item: &str) -> Vec<u8> {
    let others: String = counts
        .iter()
        .enumerate()
        .map(|(index, &count)| {
            format!(
                "(core module $m{index} {}) (core instance (instantiate $m{index}))",
                item.repeat(count)
            )
        })
        .collect();
    let text = format!(
        r#"(component {others}
            (core module $m (func (export "init") (param i32 i32))
                (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
            (core instance $i (instantiate $m))
            (func (export "init") (param "our" string)
                (canon lift (core func $i "init") (memory $i "memory") (realloc (func $i "cabi_realloc")))))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_component_has_so_many_instances_tables_and_memories_and_no_more() {
    let node = Node::new();
    let table = "(table 1 funcref)";
    for (what, counts, more, item) in [
        ("instances", vec![1; INSTANCES_PER_PROCESS - 1], vec![1; INSTANCES_PER_PROCESS], "(func)"),
        (
            "tables",
            vec![TABLES_PER_MODULE, TABLES_PER_PROCESS - TABLES_PER_MODULE],
            vec![TABLES_PER_MODULE, TABLES_PER_PROCESS - TABLES_PER_MODULE, 1],
            table,
        ),
        ("tables of a module", vec![TABLES_PER_MODULE], vec![TABLES_PER_MODULE + 1], table),
        (
            "memories",
            vec![1; MEMORIES_PER_PROCESS - 1],
            vec![1; MEMORIES_PER_PROCESS],
            "(memory 1)",
        ),
    ] {
        let mut process = node.process(&instances_with(&counts, item));
        let exit = process.run(&node);
        assert_eq!(exit.kind, EXIT_RETURNED, "{what}: {exit:?}");
        let (code, text) = node.refusal(&instances_with(&more, item));
        assert_eq!(code, E_LIMIT, "{what}: {text}");
    }
}

#[test]
fn the_256_components_asked_for_last_stay_in_memory() {
    let node = Node::new();
    let component = |number: u64| {
        bare(&format!(r#"(func (export "init") (param i32 i32) (drop (i64.const {number})))"#))
    };
    let load = |number: u64| {
        let before = node.stats().compiles_total;
        drop(node.load(&component(number)).unwrap());
        node.stats().compiles_total - before
    };
    for number in 0..RECENT_MAX {
        assert_eq!(load(number), 1);
    }
    assert_eq!(node.stats().components, RECENT_MAX);
    assert_eq!(load(0), 0, "it is among them, and now the newest");
    assert_eq!(load(RECENT_MAX), 1);
    assert_eq!(node.stats().components, RECENT_MAX, "one more takes the place of the oldest");
    assert_eq!(load(0), 0);
    assert_eq!(load(1), 1, "that was the oldest");
}
