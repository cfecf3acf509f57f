;; Imports every version of the interface at once; all act on the same process.
;; Prints one line through each.
(component
  (import "kinode:process/standard@0.7.0" (instance $kinode_0_7
    (export "print-to-terminal" (func (param "verbosity" u8) (param "message" string)))
  ))
  (import "kinode:process/standard@0.8.0" (instance $kinode_0_8
    (export "print-to-terminal" (func (param "verbosity" u8) (param "message" string)))
  ))
  (import "kinode:process/standard@1.0.0" (instance $kinode_1_0
    (export "print-to-terminal" (func (param "verbosity" u8) (param "message" string)))
  ))
  (import "hyperware:process/standard@1.0.0" (instance $hyperware_1_0
    (export "print-to-terminal" (func (param "verbosity" u8) (param "message" string)))
  ))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 0) "from kinode 0.7")
    (data (i32.const 16) "from kinode 0.8")
    (data (i32.const 32) "from kinode 1.0")
    (data (i32.const 48) "from hyperware 1.0"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $kinode_0_7
    (canon lower (func $kinode_0_7 "print-to-terminal") (memory $mem)))
  (core func $kinode_0_8
    (canon lower (func $kinode_0_8 "print-to-terminal") (memory $mem)))
  (core func $kinode_1_0
    (canon lower (func $kinode_1_0 "print-to-terminal") (memory $mem)))
  (core func $hyperware_1_0
    (canon lower (func $hyperware_1_0 "print-to-terminal") (memory $mem)))
  (core module $m
    (import "memory" "memory" (memory 1))
    (import "host" "kinode_0_7" (func $kinode_0_7 (param i32 i32 i32)))
    (import "host" "kinode_0_8" (func $kinode_0_8 (param i32 i32 i32)))
    (import "host" "kinode_1_0" (func $kinode_1_0 (param i32 i32 i32)))
    (import "host" "hyperware_1_0" (func $hyperware_1_0 (param i32 i32 i32)))
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
      (call $kinode_0_7 (i32.const 0) (i32.const 0) (i32.const 15))
      (call $kinode_0_8 (i32.const 0) (i32.const 16) (i32.const 15))
      (call $kinode_1_0 (i32.const 0) (i32.const 32) (i32.const 15))
      (call $hyperware_1_0 (i32.const 0) (i32.const 48) (i32.const 18))))
  (core instance $i (instantiate $m
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "kinode_0_7" (func $kinode_0_7))
      (export "kinode_0_8" (func $kinode_0_8))
      (export "kinode_1_0" (func $kinode_1_0))
      (export "hyperware_1_0" (func $hyperware_1_0))))))
  (alias core export $i "cabi_realloc" (core func $realloc))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $mem) (realloc $realloc)))
)
