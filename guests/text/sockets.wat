;; Asks for a TCP socket, which is always refused, and prints the number of the error code
;; (`access-denied` is 1, `not-supported` 2), or traps if it gets one.
(component
  (import "wasi:sockets/network@0.2.0" (instance $network
    (type $code (enum
      "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
      "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit"
      "address-not-bindable" "address-in-use" "remote-unreachable" "connection-refused"
      "connection-reset" "connection-aborted" "datagram-too-large" "name-unresolvable"
      "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $code)))
    (type $family (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family)))
  ))
  (alias export $network "error-code" (type $error_code))
  (alias export $network "ip-address-family" (type $ip_address_family))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (export "tcp-socket" (type (sub resource)))
  ))
  (alias export $tcp "tcp-socket" (type $tcp_socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (alias outer 1 $error_code (type $error_code_outer))
    (export "error-code" (type $error_code (eq $error_code_outer)))
    (alias outer 1 $ip_address_family (type $family_outer))
    (export "ip-address-family" (type $family (eq $family_outer)))
    (alias outer 1 $tcp_socket (type $socket_outer))
    (export "tcp-socket" (type $socket (eq $socket_outer)))
    (type $own_socket (own $socket))
    (type $created (result $own_socket (error $error_code)))
    (export "create-tcp-socket" (func (param "address-family" $family) (result $created)))
  ))
  (import "kinode:process/standard@1.0.0" (instance $standard
    (export "print-to-terminal" (func (param "verbosity" u8) (param "message" string)))
  ))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 0) "socket refused: ?"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $create
    (canon lower (func $create "create-tcp-socket") (memory $mem)))
  (core func $print
    (canon lower (func $standard "print-to-terminal") (memory $mem)))
  (core module $m
    (import "memory" "memory" (memory 1))
    (import "host" "create" (func $create (param i32 i32)))
    (import "host" "print" (func $print (param i32 i32 i32)))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 4096))
    (func (export "init") (param $our i32) (param $our_size i32)
      ;; The result goes to address 64: a byte that is 1 for an error, and at 68 the code.
      (call $create (i32.const 0) (i32.const 64))
      (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
      (i32.store8 (i32.const 16) (i32.add (i32.const 48) (i32.load8_u (i32.const 68))))
      (call $print (i32.const 0) (i32.const 0) (i32.const 17))))
  (core instance $i (instantiate $m
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "create" (func $create))
      (export "print" (func $print))))))
  (alias core export $i "cabi_realloc" (core func $realloc))
  (func (export "init") (param "our" string)
    (canon lift (core func $i "init") (memory $mem) (realloc $realloc)))
)
