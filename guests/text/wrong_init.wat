;; Exports an `init` that takes a number instead of an address.
(component
  (core module $m
    (func (export "init") (param i32)))
  (core instance $i (instantiate $m))
  (func (export "init") (param "our" u32) (canon lift (core func $i "init")))
)
