;; Takes memory until it gets no more, then gives up.
(component
  (core module $main
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func $inner unreachable)
    (func $outer (export "init") (param i32 i32) (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))
  (core instance $i (instantiate $main))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $i "memory") (realloc (func $i "realloc")))))
