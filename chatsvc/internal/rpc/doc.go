// Package rpc is the counter: chatsvc's gRPC server, with ChatService for internal services and REST, RelayService for
// gateways, and the health service. It turns calls into the use cases of package chat and their outcome into answers.
// It decides nothing about rooms and messages, and knows no store and no NATS. The facade runs it.
//
// # The relay stream
//
// One goroutine of a stream reads commands and hands their sends to the scribe, in their order; it waits for none. Its
// other goroutine sends results, as many at once as are ready. What is under way is bounded by number and bytes: a
// gateway that sends faster, or does not read its results, is held back by gRPC's flow control.
//
// Marks and typing notices run beside the sends, a bounded number at once. One waits for the sends to its room
// that came before it on the stream, so that "everything is read" covers a message that its user has just sent; a
// later send does not wait for it. In a command that mixes both, the sends are stored first, as one unit; access of the
// marks' rooms is checked before, so that the command still takes effect whole or not at all.
//
// When a replica stops, its streams take up nothing more, answer what they have taken up, and end as UNAVAILABLE:
// commands without a result have had no effect and may be sent to another replica.
package rpc
