;; Prints one line through `kinode:process/standard@0.7.0`.
(component
  (import "kinode:process/standard@0.7.0" (instance $print
    (export "print-to-terminal" (func (param "verbosity" u8) (param "message" string)))
  ))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 0) "hello from 0.7"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $print
    (canon lower (func $print "print-to-terminal") (memory $mem)))
  (core module $m
    (import "memory" "memory" (memory 1))
    (import "host" "print" (func $print (param i32 i32 i32)))
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
      (call $print (i32.const 0) (i32.const 0) (i32.const 14))))
  (core instance $i (instantiate $m
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "print" (func $print))))))
  (alias core export $i "cabi_realloc" (core func $realloc))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $mem) (realloc $realloc)))
)
