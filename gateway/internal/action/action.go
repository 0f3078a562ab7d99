// Package action is what a client asks the chat service to do, in plain Go: the session makes actions of SEND and ACK
// frames, the relay carries them. It holds no rule about them.
package action

import (
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// Verb is what an action does: the last part of /app/chat/{chatRoomId}/{verb}.
type Verb uint8

// The verbs of a room.
const (
	Send   Verb = iota + 1 // store a message and broadcast it
	Read                   // move the user's read mark forward
	Typing                 // tell the room that the user types
	Edit                   // give an own message another content
	Recall                 // take an own message back
	// Delivered moves the user's delivered mark forward. It stands for ACK frames, and no destination leads to it.
	Delivered
)

// The verbs of a plain broker, which the chat service never sees.
const (
	Publish Verb = iota + 100 // hand a message to a destination
	Settle                    // ACK or NACK deliveries
)

// Stores says whether an action becomes an event of a room's log.
func (v Verb) Stores() bool { return v == Send || v == Edit || v == Recall }

// Action is one SEND of a client, or what its ACKs come to.
type Action struct {
	Verb        Verb
	Room        int64
	ContentType string // of the frame, or empty
	Body        []byte // not changed by whoever holds it

	// HoldOff, where not 0, is how long the room has to wait for another message: the chat service refuses this one, to
	// those who are in the room.
	HoldOff time.Duration

	Message    *Message    // of Publish, else nil
	Settlement *Settlement // of Settle, else nil
}

// Message is what Publish needs beside the body.
type Message struct {
	Destination string
	Header      stomp.Header // all that the client sent
}

// Settlement is what the client says about deliveries of a subscription.
type Settlement struct {
	Subscription event.Sink
	Delivery     int64 // counted from 1, in the order they were delivered
	Cumulative   bool  // all before it, too
	Refused      bool  // NACK
}

// Stored is the outcome of an action that stored something, or found it stored before; the zero value for others.
type Stored struct {
	MessageID string
	Seq       int64
	Duplicate bool
}
