//! Components that do not fit are refused before any guest code runs, with every reason named
//! (E-4), and types are those of the WIT files (E-5).

mod support;

use kwe::abi::*;
use support::*;

#[test]
fn what_is_no_component_is_refused_as_such() {
    let node = Node::new();
    for (bytes, hint) in [
        (&b""[..], "not a component"),
        (b"#!/bin/sh", "not a component"),
        (b"\0asm\x0d\0\x01\0garbage", ""),
        (b"\0asm\x01\0\0\0", "perdure-componentize"),
    ] {
        let (code, text) = node.refusal(bytes);
        assert_eq!(code, E_WASM, "{text}");
        assert!(text.contains(hint), "{text}");
    }
    let (code, _) = node.refusal(&vec![0; COMPONENT_BYTES_MAX + 1]);
    assert_eq!(code, E_LIMIT);
    assert_eq!(
        node.refusal(&vec![0; COMPONENT_BYTES_MAX]).0,
        E_WASM,
        "at the limit it is looked at"
    );
}

#[test]
fn disabled_features_are_refused() {
    let text = r#"(component (core module (memory i64 1)))"#;
    assert_eq!(Node::new().refusal(&wat::parse_str(text).unwrap()).0, E_WASM);
}

#[test]
fn a_component_larger_than_the_pool_is_refused_as_a_limit() {
    let node = Node::new();
    let (code, text) =
        node.refusal(&bare(r#"(table 30000 funcref) (func (export "init") (param i32 i32))"#));
    assert_eq!(code, E_LIMIT, "{text}");
}

#[test]
fn init_has_to_be_there_and_typed_as_every_world_says() {
    let node = Node::new();
    let with_init = |init: &str| {
        let text = format!(
            r#"(component (core module $m (func (export "f")) (func (export "g") (result i32) i32.const 0))
                (core instance $i (instantiate $m)) {init})"#
        );
        wat::parse_str(text).unwrap()
    };
    for (init, hint) in [
        ("", "has no `init`"),
        (r#"(func (export "init") (canon lift (core func $i "f")))"#, "differently typed"),
        (
            r#"(func (export "init") (result u32) (canon lift (core func $i "g")))"#,
            "differently typed",
        ),
        (r#"(func (export "other") (canon lift (core func $i "f")))"#, "has no `init`"),
    ] {
        let (code, text) = node.refusal(&with_init(init));
        assert_eq!(code, E_IMPORT, "{text}");
        assert!(text.contains(hint) && text.contains("init: func(our: string)"), "{text}");
    }
}

#[test]
fn e4_every_import_that_does_not_fit_is_named_and_no_other() {
    let node = Node::new();
    let text = r#"(component
        (import "host" (func))
        (import "kinode:process/standard@1.0.0" (instance
            (export "our" (func (result u32)))
            (export "has-blob" (func (result bool)))
            (export "fly" (func))))
        (import "kinode:process/standard@0.8.0" (instance
            (export "clear-state" (func (param "x" u8)))
            (export "has-blob" (func (result bool)))))
        (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
        (alias export $error "error" (type $error-type))
        (import "wasi:http/types@0.2.0" (instance
            (export "fields" (type (sub resource)))
            (alias outer 1 $error-type (type $e')) (export "io-error" (type $e (eq $e')))
            (export "get" (func (result (own $e))))))
        (import "wasi:random/random@0.2.7" (instance (export "get-random-u64" (func (result u8)))))
        (import "some:types/only@0.1.0" (instance (type $t' u32) (export "t" (type (eq $t'))))))"#;
    let (code, text) = node.refusal(&wat::parse_str(text).unwrap());
    assert_eq!(code, E_IMPORT);
    let named: Vec<&str> =
        text.split_once("do not fit: ").expect("the list").1.split("; ").collect();
    assert_eq!(
        named,
        [
            "`host`: not provided",
            "`fly` of `kinode:process/standard@1.0.0`: not provided",
            "`has-blob` of `kinode:process/standard@0.8.0`: not provided",
            "`fields` of `wasi:http/types@0.2.0`: not provided",
            "`get` of `wasi:http/types@0.2.0`: not provided",
            "`our` of `kinode:process/standard@1.0.0`: differently typed",
            "`clear-state` of `kinode:process/standard@0.8.0`: differently typed",
            "`get-random-u64` of `wasi:random/random@0.2.7`: differently typed",
        ]
    );
}

#[test]
fn imports_that_do_not_fit_are_all_named_up_to_256_and_the_rest_counted() {
    let node = Node::new();
    let named = |count: usize| -> Vec<String> {
        let imports: String =
            (0..count).map(|index| format!(r#"(import "unserved-{index}" (func))"#)).collect();
        let (code, text) = node.refusal(&wat::parse_str(format!("(component {imports})")).unwrap());
        assert_eq!(code, E_IMPORT);
        let (_, list) = text.split_once("do not fit: ").expect("the list");
        list.split("; ").map(Into::into).collect()
    };
    let first: Vec<String> =
        (0..256).map(|index| format!("`unserved-{index}`: not provided")).collect();
    assert_eq!(named(256), first);
    for (count, rest) in [(257, "and 1 more"), (10_000, "and 9744 more")] {
        assert_eq!(named(count), [&first[..], &[rest.into()]].concat());
    }
}

#[test]
fn a_differently_typed_import_is_found_behind_more_that_fit_than_are_named() {
    let import = |patch: usize, function: &str| {
        format!(
            r#"(import "wasi:random/random@0.2.{patch}" (instance
                (export "{function}" (func (result u64)))))"#
        )
    };
    let fitting: String = (0..257).map(|patch| import(patch, "get-random-u64")).collect();
    let text = format!("(component {fitting} {})", import(257, "get-random-bytes"));
    let (code, text) = Node::new().refusal(&wat::parse_str(text).unwrap());
    assert_eq!(code, E_IMPORT);
    let (_, list) = text.split_once("do not fit: ").expect("the list");
    assert_eq!(list, "`get-random-bytes` of `wasi:random/random@0.2.257`: differently typed");
}

#[test]
fn interfaces_that_hold_only_types_need_not_be_provided() {
    let node = Node::new();
    let text = r#"(component
        (import "hyperware:process/sign@1.0.0" (instance (type $t string) (export "request" (type (eq $t)))))
        (core module $m (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "init") (param i32 i32)))
        (core instance $i (instantiate $m))
        (func (export "init") (param "our" string)
            (canon lift (core func $i "init") (memory $i "memory") (realloc (func $i "cabi_realloc")))))"#;
    let component = node.load(&wat::parse_str(text).unwrap()).unwrap();
    assert_eq!(component.standard(), 0, "a component without `standard` is fine (K-214)");
}

/// A component that imports everything a version's WIT declares, made from that WIT.
fn everything(dir: &str, world: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit(dir)).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module =
        wit_component::dummy_module(&resolve, world, wit_parser::ManglingAndAbi::Standard32);
    let utf8 = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, utf8).unwrap();
    wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

#[test]
fn patch_versions_match_and_other_lines_do_not() {
    let node = Node::new();
    let text = wasmprinter::print_bytes(everything("kinode-0.8.0", "process-v0")).unwrap();
    let at = |version: &str| wat::parse_str(text.replace("@0.8.0", version)).unwrap();
    assert_eq!(node.load(&at("@0.8.7")).unwrap().standard(), STANDARD_KINODE_0_8);
    let (code, refusal) = node.refusal(&at("@0.9.0"));
    assert_eq!((code, refusal.contains("kinode:process/standard@0.9.0")), (E_IMPORT, true));
}

/// Bindings that Wasmtime generates from a WIT package, and a linker made with them.
macro_rules! generated {
    (
        $module:ident, $world:ident, $path:literal, $name:literal, $package:ident,
        [$($function:ident($($ty:ty),*) -> $ret:ty),* $(,)?], $grant:ty
    ) => {
        mod $module {
            wasmtime::component::bindgen!({ path: $path, world: $name });
            use self::$package::process::standard::*;

            struct Nobody;
            impl Host for Nobody {
                $(fn $function(&mut self, $(_: $ty),*) -> $ret { unreachable!() })*
                fn print_to_terminal(&mut self, _: u8, _: String) { unreachable!() }
                fn get_on_exit(&mut self) -> OnExit { unreachable!() }
                fn set_on_exit(&mut self, _: OnExit) { unreachable!() }
                fn get_state(&mut self) -> Option<Vec<u8>> { unreachable!() }
                fn set_state(&mut self, _: Vec<u8>) { unreachable!() }
                fn clear_state(&mut self) { unreachable!() }
                fn spawn(&mut self, _: Option<String>, _: String, _: OnExit, _: Vec<Capability>, _: Vec<$grant>,
                    _: bool) -> Result<ProcessId, SpawnError> { unreachable!() }
                fn save_capabilities(&mut self, _: Vec<Capability>) { unreachable!() }
                fn drop_capabilities(&mut self, _: Vec<Capability>) { unreachable!() }
                fn our_capabilities(&mut self) -> Vec<Capability> { unreachable!() }
                fn receive(&mut self) -> Result<(Address, Message), (SendError, Option<Context>)> { unreachable!() }
                fn get_blob(&mut self) -> Option<LazyLoadBlob> { unreachable!() }
                fn send_request(&mut self, _: Address, _: Request, _: Option<Context>, _: Option<LazyLoadBlob>) {
                    unreachable!()
                }
                fn send_requests(&mut self, _: Vec<(Address, Request, Option<Context>, Option<LazyLoadBlob>)>) {
                    unreachable!()
                }
                fn send_response(&mut self, _: Response, _: Option<LazyLoadBlob>) { unreachable!() }
                fn send_and_await_response(&mut self, _: Address, _: Request, _: Option<LazyLoadBlob>)
                    -> Result<(Address, Message), SendError> { unreachable!() }
            }

            pub fn links(component: &[u8]) {
                let engine = wasmtime::Engine::default();
                let mut linker = wasmtime::component::Linker::<Nobody>::new(&engine);
                $world::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |nobody| nobody).unwrap();
                let component = wasmtime::component::Component::new(&engine, component).unwrap();
                linker.instantiate_pre(&component).map(drop).unwrap();
            }
        }
    };
}

generated!(kinode_0_7, Process, "../../../wit/kinode-0.7.0", "process", kinode, [], ProcessId);
generated!(kinode_0_8, ProcessV0, "../../../wit/kinode-0.8.0", "process-v0", kinode, [], ProcessId);
generated!(
    kinode_1_0, ProcessV1, "../../../wit/kinode-1.0.0", "process-v1", kinode,
    [our() -> Address, has_blob() -> bool, last_blob() -> Option<LazyLoadBlob>], (ProcessId, Json)
);
generated!(
    hyperware_1_0, ProcessV1, "../../../wit/hyperware-1.0.0", "process-v1", hyperware,
    [our() -> Address, has_blob() -> bool, last_blob() -> Option<LazyLoadBlob>], (ProcessId, Json)
);

#[test]
fn e5_hand_written_and_generated_types_link_the_same_component() {
    let node = Node::new();
    let links = [kinode_0_7::links, kinode_0_8::links, kinode_1_0::links, hyperware_1_0::links];
    for ((dir, world, _), generated) in VERSIONS.into_iter().zip(links) {
        let component = everything(dir, world);
        generated(&component);
        node.load(&component).map(drop).unwrap_or_else(|(_, text)| panic!("{dir}: {text}"));
    }
}
