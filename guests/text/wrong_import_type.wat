;; Imports `set-state` with a string where the interface has bytes.
(component
  (import "kinode:process/standard@1.0.0" (instance $standard
    (export "set-state" (func (param "bytes" string)))
  ))
  (core module $memory
    (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $set_state
    (canon lower (func $standard "set-state") (memory $mem)))
  (core module $m
    (import "host" "set-state" (func $set_state (param i32 i32)))
    (import "memory" "memory" (memory 1))
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
      (call $set_state (local.get $our) (local.get $our_size))))
  (core instance $i (instantiate $m
    (with "memory" (instance $memory))
    (with "host" (instance (export "set-state" (func $set_state))))))
  (alias core export $i "cabi_realloc" (core func $realloc))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $mem) (realloc $realloc)))
)
