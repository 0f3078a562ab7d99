package fanin

import "github.com/fliliy/chat/gateway/internal/event"

// Hub is where the fan-in puts what arrives. Calls for one log come from one goroutine at a time and must not block.
type Hub interface {
	// Deliver passes on events of a log this node has an interest in.
	Deliver(log event.Log, events []event.Event)
	// DeliverCopy passes on live copies of a room's events for a user's inbox subscriptions; the events' frames
	// already carry the inbox destination.
	DeliverCopy(user string, room int64, events []event.Event)
	// Covered says whether live copies of a room's events need not be delivered, because every session of the user that
	// would get them has the room's own subscription; it counts them as passed. newest is the seq of the last one.
	Covered(user string, room, newest int64, events int) bool
	// Heads passes on the digest of recently changed heads.
	Heads(heads []event.Head)
	// Resync says that events may have been lost (NATS was away, or dropped some): re-read the heads of all logs.
	Resync()
}
