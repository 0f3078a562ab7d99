// Package relay is the gateway's back door: it carries what clients send to the chat service, and asks it about logs.
// It implements session.Relay (Submit) and hub.Logs (Subscribe, ReadLog, ReadHeads) over gRPC RelayService. It holds
// no chat rule and decides about no message.
//
// # Streams and order
//
// Commands travel on lanes, each with one bidirectional stream that is pinned to one replica of the service while it
// stands. All actions of a room travel on the same lane, so that they take effect in the order of the Submit calls.
// (A transaction over several rooms travels with its first room. With more than one lane, its order against later
// actions on the other rooms is kept only by waiting for its answer.) What waits while a request is being written
// goes into the next request: batches form by themselves under load and cost nothing without it.
//
// # When a stream has served its time
//
// The lane closes its side, waits for the answers that it is owed, and opens a new stream (Options.Life). So replicas
// that have come since get their share, and a connection that the service wants to end is empty within its grace. A
// replica that leaves may also end a stream itself, with UNAVAILABLE in the service's own words: what it has not
// answered then had no effect, and goes to the next one.
//
// # When a stream breaks
//
// The lane opens a new one, which may reach another replica. Commands not yet sent simply wait. Of those sent and not
// answered nobody knows whether they took effect, so only those are sent again, first and in their old order, that
// may take effect twice without harm: marks, typing, recalls, and messages and edits that carry a clientMessageId (see
// repeatable.go). The others end as UNAVAILABLE, which tells the client to send again with the same clientMessageId. A
// command is sent at most three times, so that one which kills its replica does not kill them all.
//
// # Answers
//
// Every command gets exactly one answer, within Options.Timeout: from the service, or UNAVAILABLE when it is away,
// slow, or the lane is full, or when the gateway stops.
package relay
