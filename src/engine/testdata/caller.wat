;; Prints its address, clears its state (which may wait), saves "done" and returns.
(component
  (import "hyperware:process/standard@1.0.0" (instance $standard
    (export "print-to-terminal" (func (param "verbosity" u8) (param "message" string)))
    (export "clear-state" (func))
    (export "set-state" (func (param "bytes" (list u8))))))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 16) "done")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
  (core instance $m (instantiate $memory))
  (core func $print (canon lower (func $standard "print-to-terminal") (memory $m "memory")))
  (core func $clear (canon lower (func $standard "clear-state")))
  (core func $set (canon lower (func $standard "set-state") (memory $m "memory")))
  (core module $main
    (import "" "print" (func $print (param i32 i32 i32)))
    (import "" "clear" (func $clear))
    (import "" "set" (func $set (param i32 i32)))
    (func (export "init") (param i32 i32)
      (call $print (i32.const 0) (local.get 0) (local.get 1))
      call $clear
      (call $set (i32.const 16) (i32.const 4))))
  (core instance $i (instantiate $main (with "" (instance
    (export "print" (func $print)) (export "clear" (func $clear)) (export "set" (func $set))))))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $m "memory") (realloc (func $m "realloc")))))
