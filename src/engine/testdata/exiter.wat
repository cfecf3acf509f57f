;; Exits by WASI: with success if its address is "good", else with an error.
(component
  (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
  (core func $exit (canon lower (func $exit "exit")))
  (core module $main
    (import "" "exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "init") (param i32 i32)
      (call $exit (i32.ne (i32.load (local.get 0)) (i32.const 0x646f6f67)))))
  (core instance $i (instantiate $main (with "" (instance (export "exit" (func $exit))))))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $i "memory") (realloc (func $i "realloc")))))
