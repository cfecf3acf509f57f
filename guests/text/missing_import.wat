;; Imports three functions nobody serves: two of an unknown interface, one unknown in a known one.
(component
  (import "perdure:missing/things@1.0.0" (instance $things
    (export "appear" (func))
    (export "vanish" (func (param "count" u32)))
  ))
  (import "kinode:process/standard@1.0.0" (instance $standard
    (export "teleport" (func))
  ))
  (core func $appear (canon lower (func $things "appear")))
  (core func $vanish (canon lower (func $things "vanish")))
  (core func $teleport (canon lower (func $standard "teleport")))
  (core module $m
    (import "host" "appear" (func $appear))
    (import "host" "vanish" (func $vanish (param i32)))
    (import "host" "teleport" (func $teleport))
    (memory (export "memory") 1)
    ;; Never frees: a guest that starts, says a word and ends needs no more.
    (global $next (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func (export "init") (param $our i32) (param $our_size i32)
      (call $appear)
      (call $vanish (i32.const 1))
      (call $teleport)))
  (core instance $i (instantiate $m
    (with "host" (instance
      (export "appear" (func $appear))
      (export "vanish" (func $vanish))
      (export "teleport" (func $teleport))))))
  (alias core export $i "memory" (core memory $mem))
  (alias core export $i "cabi_realloc" (core func $realloc))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $mem) (realloc $realloc)))
)
