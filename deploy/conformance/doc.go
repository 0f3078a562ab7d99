// Package conformance holds a server against the STOMP and WebSocket standards, on the wire: every rule of the
// protocol checklist (gateway/PROTOCOL.md) that a plain broker can show, the behaviours that stompjs counts on, and
// the cases of WebSocket suites against an echo. `go test` runs it on the gateway's own conformance broker; with
// -addr (make conformance ADDR=…) on any other. It holds tests only.
package conformance
