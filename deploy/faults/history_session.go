package faults

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Event is what a client reads in an event of a room's log. Equal bodies share one Event.
type Event struct {
	Room            int64
	Seq             int64 // 0: a state event
	Kind            string
	Sender          string // of a MEMBER event: whom it is about
	MessageID       string
	ClientMessageID string
	Change          string // of a MEMBER event
}

// eventTable decodes each body once: a room's events come to all its members.
type eventTable struct {
	mu     sync.RWMutex
	byBody map[string]*Event
}

// Decode reads the JSON of an event of a log.
func (h *History) Decode(body []byte) (*Event, error) {
	t := &h.events
	t.mu.RLock()
	e := t.byBody[string(body)]
	t.mu.RUnlock()
	if e != nil {
		return e, nil
	}
	e, err := decodeEvent(body)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.byBody[string(body)]; known != nil {
		return known, nil
	}
	t.byBody[string(body)] = e
	return e, nil
}

func decodeEvent(body []byte) (*Event, error) {
	var wire struct {
		Event           string `json:"event"`
		ChatRoomID      string `json:"chatRoomId"`
		Seq             int64  `json:"seq"`
		MessageID       string `json:"messageId"`
		ClientMessageID string `json:"clientMessageId"`
		SenderID        string `json:"senderId"`
		UserID          string `json:"userId"`
		Change          string `json:"change"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, fmt.Errorf("read an event: %w", err)
	}
	room, err := strconv.ParseInt(wire.ChatRoomID, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read an event's room: %w", err)
	}
	e := &Event{
		Room: room, Seq: wire.Seq, Kind: wire.Event, Sender: wire.SenderID,
		MessageID: wire.MessageID, ClientMessageID: wire.ClientMessageID, Change: wire.Change,
	}
	if e.Sender == "" {
		e.Sender = wire.UserID
	}
	return e, nil
}

// Session is one logical life of a subscription: a client's in a room, across reconnects, for as long as it resumes by
// last-seq. It is safe for concurrent use; read the fields when the History is quiet.
type Session struct {
	ID     int // among all of the History
	Client int // whose it is, as in Connection; 0: nobody's that connects
	User   string
	Room   int64
	Base   int64 // it wants everything after this seq

	mu         sync.Mutex
	deliveries []Delivery
	left       bool // it ended before the run did, so nothing is said about its tail
	expelled   bool // a gateway said that the user is no member; whether that is true, the check finds out
}

// Delivery is one event as it came.
type Delivery struct {
	Event *Event
	At    time.Duration
	Conn  int32 // the Connection's ID
	Paged bool  // read by REST, after a GAP
}

// Begin opens a session of a client that wants everything after base.
func (h *History) Begin(client int, user string, room, base int64) *Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &Session{ID: len(h.sessions), Client: client, User: user, Room: room, Base: base}
	h.sessions = append(h.sessions, s)
	return s
}

// Deliver records an event, in the order of arrival.
func (s *Session) Deliver(d Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliveries = append(s.deliveries, d)
}

// Leave ends the session before the run ends: unsubscribed, removed from the room, or its client gone for good. What
// comes after its last event is not expected any more.
func (s *Session) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
}

// expel ends the session because a gateway refused the user.
func (s *Session) expel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expelled = true
}

// Deliveries are the session's events in the order of arrival.
func (s *Session) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.deliveries)
}

// Sessions are all of the History.
func (h *History) Sessions() []*Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sessions)
}

// Connection is one WebSocket of a client, from the dial to its end.
type Connection struct {
	ID      int32
	Client  int // a user may have several
	User    string
	Gateway string // the URL dialled

	Dialled   time.Duration
	Connected time.Duration // CONNECTED came; 0: never
	Live      time.Duration // all its subscriptions had their RECEIPT; 0: never
	Ended     time.Duration // 0: still open
	Code      int           // of the close frame; 0: there was none, the connection broke
	Reason    string        // of the close frame, or the error
	Drained   bool          // a DRAIN event said that the gateway leaves
	Planned   bool          // the client itself ended it
}

// dialling records a new connection.
func (h *History) dialling(client int, user, gateway string) *Connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := int32(len(h.conns)) //nolint:gosec // connections of one run
	c := &Connection{ID: id, Client: client, User: user, Gateway: gateway, Dialled: h.Now()}
	h.conns = append(h.conns, c)
	return c
}

// note changes a connection's record.
func (h *History) note(c *Connection, change func(c *Connection, now time.Duration)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(c, h.Now())
}

// Connections are copies of all connections so far, in the order of the dials.
func (h *History) Connections() []Connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Connection, len(h.conns))
	for i, c := range h.conns {
		out[i] = *c
	}
	return out
}

// Closes counts the connections that ended, by close code; 0 is those that broke without one. Those that their own
// client ended do not count.
func (h *History) Closes() map[int]int {
	out := map[int]int{}
	for _, c := range h.Connections() {
		if c.Ended > 0 && !c.Planned && c.Connected > 0 {
			out[c.Code]++
		}
	}
	return out
}
