;; Imports what nobody provides, and has no init.
(component
  (import "hyperware:process/standard@1.0.0" (instance (export "fly" (func))))
  (import "host:secrets/keys@1.0.0" (instance (export "steal" (func)))))
