;; Breaks its own rules, two frames deep.
(component
  (core module $main
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func $inner unreachable)
    (func $outer (export "init") (param i32 i32) call $inner))
  (core instance $i (instantiate $main))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $i "memory") (realloc (func $i "realloc")))))
