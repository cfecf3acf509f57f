;; Prints the resolution that its clocks say they have, three numbers: the monotonic clock's in
;; nanoseconds, then the wall clock's seconds and nanoseconds.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $monotonic
    (export "resolution" (func (result u64)))
  ))
  (import "wasi:clocks/wall-clock@0.2.0" (instance $wall
    (type $datetime' (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $datetime')))
    (export "resolution" (func (result $datetime)))
  ))
  (import "kinode:process/standard@1.0.0" (instance $standard
    (export "print-to-terminal" (func (param "verbosity" u8) (param "message" string)))
  ))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $monotonic (canon lower (func $monotonic "resolution")))
  (core func $wall (canon lower (func $wall "resolution") (memory $mem)))
  (core func $print (canon lower (func $standard "print-to-terminal") (memory $mem)))
  (core module $m
    (import "host" "memory" (memory 1))
    (import "host" "monotonic" (func $monotonic (result i64)))
    (import "host" "wall" (func $wall (param i32)))
    (import "host" "print" (func $print (param i32 i32 i32)))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 4096))
    ;; Digits from the last to the first, below address 64.
    (func $print_number (param $number i64)
      (local $at i32)
      (local.set $at (i32.const 64))
      (loop $digits
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at)
          (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
        (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
        (br_if $digits (i32.eqz (i64.eqz (local.get $number)))))
      (call $print (i32.const 0) (local.get $at) (i32.sub (i32.const 64) (local.get $at))))
    (func (export "init") (param $our i32) (param $our_size i32)
      (call $print_number (call $monotonic))
      (call $wall (i32.const 128))
      (call $print_number (i64.load (i32.const 128)))
      (call $print_number (i64.load32_u (i32.const 136)))))
  (core instance $i (instantiate $m
    (with "host" (instance
      (export "memory" (memory $mem))
      (export "monotonic" (func $monotonic))
      (export "wall" (func $wall))
      (export "print" (func $print))))))
  (alias core export $i "cabi_realloc" (core func $realloc))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $mem) (realloc $realloc)))
)
