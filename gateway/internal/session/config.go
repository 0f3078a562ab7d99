package session

import (
	"log/slog"
	"time"

	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// Config holds the limits and times of a session. Start from DefaultConfig: a zero limit allows nothing.
type Config struct {
	Server          string        // the "server" header of CONNECTED: name/version
	HeartBeat       HeartBeat     // what the server offers; a zero part turns that direction off
	ConnectTimeout  time.Duration // from the start of the session to a complete CONNECT
	PreAuthBytes    int           // all bytes of a client up to the end of its CONNECT
	Limits          stomp.Limits  // of the frames after it
	Subscriptions   int           // open at the same time
	Window          int           // frames whose outcome is outstanding; when full, the session reads no further
	AnswerTimeout   time.Duration // the longest that the session waits for outcomes before it reads on
	SendQueue       int           // bytes that wait for a slow client, before the session ends
	SendTimeout     time.Duration // the longest that a client may take no bytes at all, while some wait
	Hold            Hold          // of senders while this node is behind with delivering
	Gather          time.Duration // the longest that a RECEIPT waits for the session's own MESSAGE, to share a write
	Linger          time.Duration // for the last frames, once it is clear that the session ends
	Transactions    TransactionLimits
	ReconnectSpread time.Duration // a DRAIN event tells the client to come back within it, at a random moment
	DrainSpread     time.Duration // a session that drains is closed within it, at a random moment; 0: at once
}

// HeartBeat holds the two numbers of a heart-beat header: the shortest time between beats that a side can send, and
// the longest silence of the other side it would like (STOMP 1.2, "Heart-beating"). Zero is never.
type HeartBeat struct {
	Send, Receive time.Duration
}

// Hold says when a SEND waits before it is taken: once what is to be written to clients of this node waits for From, until
// it does not any more, but no longer than For. Nothing is refused by it: senders slow down instead of running ahead of
// what they have delivered. Zero is never.
type Hold struct {
	From, For time.Duration
}

// TransactionLimits bounds the transactions of one session, and thus the memory that waits for a COMMIT.
type TransactionLimits struct {
	Open   int // at the same time
	Frames int // of one transaction
	Bytes  int // of the bodies of one transaction
}

// DefaultConfig is right for production.
func DefaultConfig() Config {
	return Config{
		Server:          "fliliy-chat/dev",
		HeartBeat:       HeartBeat{Send: 10 * time.Second, Receive: 10 * time.Second},
		ConnectTimeout:  10 * time.Second,
		PreAuthBytes:    8 << 10,
		Limits:          stomp.DefaultLimits,
		Subscriptions:   128,
		Window:          256,
		AnswerTimeout:   15 * time.Second,
		SendQueue:       512 << 10,
		SendTimeout:     9 * time.Second,
		Hold:            Hold{From: 25 * time.Millisecond, For: 500 * time.Millisecond},
		Gather:          time.Millisecond,
		Linger:          time.Second,
		Transactions:    TransactionLimits{Open: 8, Frames: 100, Bytes: 256 << 10},
		ReconnectSpread: 5 * time.Second,
	}
}

// Deps are what sessions work with. Where (no PRESENCE is sent then), Tickets (none are taken), Metrics and Logger may be
// nil; without Destinations they are the contract's.
type Deps struct {
	Destinations Destinations

	Hub      Hub
	Relay    Relay
	Presence Presence
	Where    Whereabouts
	Auth     Authenticator
	Tickets  Tickets
	Metrics  *metrics.Metrics
	Logger   *slog.Logger
}
