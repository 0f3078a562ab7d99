// Package conformance holds a server against the STOMP and WebSocket standards, on the wire: every rule of the
// protocol checklist (gateway/PROTOCOL.md) that a plain broker can show, told as octets in and frames out; times;
// handshakes; what stompjs counts on, and the suite of its own that a stompjs brought along; and the functional cases of
// the Autobahn suite against an echo. `go test` runs it on the gateway's own conformance broker; with -addr (make
// conformance ADDR=…) on any other, with -rabbitmq on Debian's RabbitMQ; with -differences it writes down what does not
// hold (make differences). It holds tests only.
package conformance
