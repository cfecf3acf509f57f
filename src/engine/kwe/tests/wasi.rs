//! What is left of WASI (E-11, K-224 to K-227), at any 0.2.z.

mod support;

use kwe::abi::*;
use support::*;

/// A preview-1 module made into a component the way tool chains do it, with the adapter of WASI
/// 0.2.12.
fn preview1(imports: &str, body: &str) -> Vec<u8> {
    let imports: String = imports
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| format!("(import \"wasi_snapshot_preview1\" {line})"))
        .collect();
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit("hyperware-1.0.0")).unwrap();
    let world = resolve.select_world(&[package], Some("process-v1")).unwrap();
    let text = format!(
        r#"(module {imports} (memory (export "memory") 2)
            (global $top (mut i32) (i32.const 65536))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $top (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
                global.get $top
                (global.set $top (i32.add (global.get $top) (local.get 3)))
                (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
                    (then (drop (memory.grow (i32.const 4))))))
            {body})"#
    );
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let utf8 = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, utf8).unwrap();
    wit_component::ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .adapter(
            wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        )
        .unwrap()
        .validate(true)
        .encode()
        .unwrap_or_else(|error| panic!("{error:#}"))
}

/// The same component with its WASI imports renamed to another patch version of the same length.
fn at_version(component: &[u8], version: &str) -> Vec<u8> {
    let text = wasmprinter_text(component);
    wat::parse_str(text.replace("@0.2.12", version)).unwrap()
}

fn wasmprinter_text(component: &[u8]) -> String {
    wasmprinter::print_bytes(component).unwrap()
}

#[test]
fn what_a_guest_writes_to_stderr_arrives_whole_whatever_it_is() {
    let node = Node::new();
    let flood = preview1(
        r#""fd_write" (func $write (param i32 i32 i32 i32) (result i32))"#,
        r#"(func (export "init") (param i32 i32) (local $i i32)
            (memory.fill (i32.const 1024) (i32.const 0xFF) (i32.const 3000))
            (i32.store (i32.const 16) (i32.const 1024)) (i32.store (i32.const 20) (i32.const 3000))
            (loop $l
                (if (call $write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 24)) (then unreachable))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const 100)))))"#,
    );
    let mut process = node.process(&flood);
    assert_eq!(process.run(&node).kind, EXIT_RETURNED);
    assert_eq!(process.script().stderr, vec![0xFF; 300_000]);
}

#[test]
fn exit_reports_success_and_failure() {
    let node = Node::new();
    for (status, code) in [(0, 0), (3, 1)] {
        let guest = preview1(
            r#""proc_exit" (func $exit (param i32))"#,
            &format!(
                r#"(func (export "init") (param i32 i32) (call $exit (i32.const {status})) unreachable)"#
            ),
        );
        let mut process = node.process(&guest);
        let exit = process.run(&node);
        assert_eq!((exit.kind, exit.code), (EXIT_EXITED, code), "{exit:?}");
    }
}

/// Sleeps two seconds by preview 1's `poll_oneoff` on the monotonic clock.
fn sleeper() -> Vec<u8> {
    preview1(
        r#""poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32))"#,
        r#"(func (export "init") (param i32 i32)
            ;; one subscription: tag 0 (clock) at 8, clock id 1 at 16, timeout at 24
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.const 2000000000))
            (if (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256)) (then unreachable)))"#,
    )
}

#[test]
fn a_sleep_suspends_its_guest_only_until_the_clock_has_come_that_far() {
    let node = Node::new();
    let mut process = node.process(&sleeper());
    assert_eq!(process.poll(), P_BLOCKED);
    let until = process.script().sleeping_until.expect("it sleeps");
    assert_eq!(until, 2_000_000_001);
    process.script().now_ns = until - 1;
    assert_eq!(process.poll(), P_BLOCKED, "too early");
    let mut other = node.process(&bare(r#"(func (export "init") (param i32 i32))"#));
    assert_eq!(other.poll(), P_DONE, "others run meanwhile");
    process.script().now_ns = until;
    assert_eq!(process.poll(), P_DONE);
    assert_eq!(process.exit().kind, EXIT_RETURNED);
}

#[test]
fn e10_a_guest_that_slept_after_refused_memory_traps_for_its_own_reason() {
    let node = Node::new();
    let guest = preview1(
        r#""poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32))"#,
        r#"(func (export "init") (param i32 i32)
            (drop (memory.grow (i32.const 60000)))
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.const 2000000000))
            (drop (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256)))
            unreachable)"#,
    );
    let mut process = node.process(&guest);
    assert_eq!(process.poll(), P_BLOCKED);
    process.script().now_ns = process.script().sleeping_until.expect("it sleeps");
    assert_eq!(process.poll(), P_DONE);
    assert_eq!(process.exit().kind, EXIT_TRAPPED, "{:?}", process.exit());
}

#[test]
fn a_sleeping_guest_can_be_killed() {
    let node = Node::new();
    let mut process = node.process(&sleeper());
    assert_eq!(process.poll(), P_BLOCKED);
    process.kill();
    assert_eq!(process.poll(), P_DONE);
    assert_eq!(process.exit().kind, EXIT_KILLED);
}

#[test]
fn guests_at_any_version_of_wasi_0_2_find_their_imports() {
    let node = Node::new();
    let newest = sleeper();
    assert!(wasmprinter_text(&newest).contains("wasi:io/poll@0.2.12"));
    for version in ["@0.2.0", "@0.2.3", "@0.2.99"] {
        let mut process = node.process(&at_version(&newest, version));
        assert_eq!(process.poll(), P_BLOCKED, "{version}");
        process.script().now_ns = u64::MAX;
        assert_eq!(process.poll(), P_DONE, "{version}");
        assert_eq!(process.exit().kind, EXIT_RETURNED, "{version}");
    }
    let text = node.refusal(&at_version(&newest, "@0.2.0-rc-2023-11-10")).1;
    assert!(text.contains("wasi:io/poll@0.2.0-rc-2023-11-10"), "{text}");
}

#[test]
fn clocks_and_random_bytes_come_from_the_host() {
    let node = Node::new();
    let guest = preview1(
        r#""clock_time_get" (func $clock (param i32 i64 i32) (result i32))
           "random_get" (func $random (param i32 i32) (result i32))
           "environ_sizes_get" (func $environ (param i32 i32) (result i32))
           "fd_prestat_get" (func $prestat (param i32 i32) (result i32))
           "fd_read" (func $read (param i32 i32 i32 i32) (result i32))"#,
        r#"(func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
           (func (export "init") (param i32 i32)
            (call $must (i32.eqz (call $clock (i32.const 0) (i64.const 1) (i32.const 1024))))
            (call $must (i64.eq (i64.load (i32.const 1024)) (i64.const 1700000000000000005)))
            (call $must (i32.eqz (call $clock (i32.const 1) (i64.const 1) (i32.const 1024))))
            (call $must (i64.eq (i64.load (i32.const 1024)) (i64.const 1)))
            (call $must (i32.eqz (call $random (i32.const 1024) (i32.const 16))))
            (call $must (i64.eq (i64.load (i32.const 1032)) (i64.const 0x5A5A5A5A5A5A5A5A)))
            (call $must (i32.eqz (call $environ (i32.const 1024) (i32.const 1028))))
            (call $must (i32.eqz (i32.load (i32.const 1024))))
            ;; no directory is open
            (call $must (call $prestat (i32.const 3) (i32.const 1024)))
            ;; stdin is at its end: a read of 8 bytes gets none
            (i32.store (i32.const 2048) (i32.const 3000)) (i32.store (i32.const 2052) (i32.const 8))
            (call $must (i32.eqz (call $read (i32.const 0) (i32.const 2048) (i32.const 1) (i32.const 2056))))
            (call $must (i32.eqz (i32.load (i32.const 2056)))))"#,
    );
    let mut process = node.process(&guest);
    let exit = process.run(&node);
    assert_eq!(exit.kind, EXIT_RETURNED, "{exit:?} {:?}", process.script().calls);
    assert!(process.script().saw("wall") && process.script().saw("random"));
}

#[test]
fn both_clocks_say_the_resolution_that_the_host_names() {
    let node = Node::new();
    let guest = |ns: u64| {
        preview1(
            r#""clock_res_get" (func $resolution (param i32 i32) (result i32))"#,
            &format!(
                r#"(func $is (param i32)
                    (if (call $resolution (local.get 0) (i32.const 1024)) (then unreachable))
                    (if (i64.ne (i64.load (i32.const 1024)) (i64.const {ns})) (then unreachable)))
                   (func (export "init") (param i32 i32)
                    (call $is (i32.const 0))
                    (call $is (i32.const 1)))"#
            ),
        )
    };
    const MILLISECOND: u64 = 1_000_000;
    // One microsecond and one second are the ends of the setting; none means a millisecond.
    for (named, said) in
        [(1_000, 1_000), (1_000 * MILLISECOND, 1_000 * MILLISECOND), (0, MILLISECOND)]
    {
        let limits = kwe_limits { clock_resolution_ns: named, ..Default::default() };
        let component = node.load(&guest(said)).unwrap();
        let mut process = component.process_within(Script::default(), limits);
        let exit = process.run(&node);
        assert_eq!(exit.kind, EXIT_RETURNED, "{named}: {exit:?}");
    }
}

/// The world of the preview-1 adapter, which is the command line's set (K-224), as a component that
/// imports all of it: everything is there and typed as WIT says, so that the only thing still
/// missing is `init`.
#[test]
fn the_whole_command_line_set_links() {
    let adapter = wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
    let (_, metadata) = wit_component::metadata::decode(adapter).unwrap();
    let (resolve, world) = (metadata.resolve, metadata.world);
    let imported: Vec<String> =
        resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key)).collect();
    for interface in
        ["cli/exit", "cli/terminal-stderr", "filesystem/types", "io/streams", "sockets/tcp"]
    {
        let name = format!("wasi:{interface}@0.2.12");
        assert!(imported.contains(&name), "{name} in {imported:?}");
    }
    let mangling = wit_parser::ManglingAndAbi::Standard32;
    let mut module = wit_component::dummy_module(&resolve, world, mangling);
    let utf8 = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, utf8).unwrap();
    let mut encoder = wit_component::ComponentEncoder::default().module(&module).unwrap();
    let (code, text) = Node::new().refusal(&encoder.encode().unwrap());
    assert_eq!((code, text.contains("no `init`")), (E_IMPORT, true), "{text}");
}

#[test]
fn sockets_and_files_are_refused_by_answers_not_by_traps() {
    let node = Node::new();
    let guest = wat::parse_str(
        r#"(component
            (import "wasi:sockets/network@0.2.0" (instance $n
                (type $e' (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory"
                    "timeout" "concurrency-conflict" "not-in-progress" "would-block" "invalid-state"
                    "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
                    "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large"
                    "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
                (export "error-code" (type $e (eq $e')))
                (type $f' (enum "ipv4" "ipv6"))
                (export "ip-address-family" (type $f (eq $f')))))
            (alias export $n "error-code" (type $code))
            (alias export $n "ip-address-family" (type $family))
            (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
            (alias export $tcp "tcp-socket" (type $socket))
            (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
                (alias outer 1 $code (type $c')) (export "error-code" (type $c (eq $c')))
                (alias outer 1 $family (type $f')) (export "ip-address-family" (type $f (eq $f')))
                (alias outer 1 $socket (type $s')) (export "tcp-socket" (type $s (eq $s')))
                (export "create-tcp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
            (core module $memory (memory (export "memory") 1))
            (core instance $mem (instantiate $memory))
            (core func $create-socket (canon lower (func $create "create-tcp-socket") (memory $mem "memory")))
            (core module $m
                (import "" "create" (func $create (param i32 i32)))
                (import "mem" "memory" (memory 1))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
                (func (export "init") (param i32 i32)
                    (call $create (i32.const 0) (i32.const 16))
                    ;; an error, "access-denied"
                    (if (i32.ne (i32.load8_u (i32.const 16)) (i32.const 1)) (then unreachable))
                    (if (i32.ne (i32.load8_u (i32.const 20)) (i32.const 1)) (then unreachable))))
            (core instance $i (instantiate $m (with "" (instance (export "create" (func $create-socket))))
                (with "mem" (instance $mem))))
            (func (export "init") (param "our" string)
                (canon lift (core func $i "init") (memory $mem "memory") (realloc (func $i "cabi_realloc")))))"#,
    )
    .unwrap();
    let mut process = node.process(&guest);
    let exit = process.run(&node);
    assert_eq!(exit.kind, EXIT_RETURNED, "{exit:?}");
}
