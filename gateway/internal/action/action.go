// Package action is what a client asks the chat service to do, in plain Go: the session makes actions of SEND and ACK
// frames, the relay carries them. It holds no rule about them.
package action

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

// Action is one SEND of a client, or what its ACKs come to.
type Action struct {
	Verb        Verb
	Room        int64
	ContentType string // of the frame, or empty
	Body        []byte // not changed by whoever holds it
}

// Stored is the outcome of an action that stored something, or found it stored before; the zero value for others.
type Stored struct {
	MessageID string
	Seq       int64
	Duplicate bool
}
