;; One instruction after the other that fills 64 MiB: only its start can be interrupted.
(component
  (core module $m
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
      (if (i32.lt_s (memory.grow (i32.const 1024)) (i32.const 0)) (then (unreachable)))
      (loop $again
        (memory.fill (i32.const 65536) (i32.const 7) (i32.const 67108864))
        (br $again)))
  )
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $mem))
  (alias core export $i "cabi_realloc" (core func $realloc))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $mem) (realloc $realloc)))
)
