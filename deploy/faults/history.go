package faults

import (
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// History records what clients do and see, with monotonic times since it was made. It is safe for concurrent use; read
// it (Check, the figures) when the clients are quiet. It keeps everything: about 24 bytes a delivery.
type History struct {
	clock func() time.Duration
	run   string // unique, in the ids of messages

	events   eventTable
	strays   atomic.Int64 // deliveries on a subscription after the RECEIPT of its UNSUBSCRIBE
	named    atomic.Int64 // messages that have an id
	mu       sync.Mutex
	clients  int
	sends    []*Send
	sessions []*Session
	conns    []*Connection
	members  []Change
	errors   map[string]int // by code
	statuses map[string]StatusSeen
}

// NewHistory starts a History; its clock starts at 0.
func NewHistory() *History {
	start := time.Now()
	return newHistory(func() time.Duration { return time.Since(start) })
}

func newHistory(clock func() time.Duration) *History {
	h := &History{clock: clock, run: rand.Text()[:8], errors: map[string]int{}, statuses: map[string]StatusSeen{}}
	h.events.byBody = map[string]*Event{}
	return h
}

// Now is the time since the History was made.
func (h *History) Now() time.Duration { return h.clock() }

// NewMessageID makes a clientMessageId that no other message has.
func (h *History) NewMessageID() string {
	return h.run + "-" + strconv.FormatInt(h.named.Add(1), 10)
}

// newClient numbers the clients.
func (h *History) newClient() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients++
	return h.clients
}

// Outcome is how a SEND ended, as far as its client knows.
type Outcome int

// The outcomes. Open and Unknown promise nothing: the message may be stored or not.
const (
	Open    Outcome = iota // under way
	OK                     // acknowledged: it has to be stored, and to reach everybody
	Failed                 // refused for good: it must not be stored
	Unknown                // given up without an answer
)

// Send is one message that a client sent, repeats of the same attempt included. Its methods end it, once; the fields
// are to be read when the History is quiet.
type Send struct {
	Room            int64
	Sender          string
	ClientMessageID string

	Invoked time.Duration // before the first byte left
	Ended   time.Duration // when the outcome was known
	Outcome Outcome
	Receipt Receipt // of OK
	Code    string  // of Failed and Unknown: the last error code, or why it was given up

	Attempts    int           // how often it went out
	LongestWait time.Duration // the longest that an attempt waited for an answer, or in vain, on a connection that lived

	history *History
}

// Receipt is what the RECEIPT of a SEND says.
type Receipt struct {
	MessageID string
	Seq       int64
	Duplicate bool
}

// Invoke records that a message is about to be sent. Whoever sends without a Client does the same, or the message
// counts as a phantom.
func (h *History) Invoke(room int64, sender, clientMessageID string) *Send {
	s := &Send{Room: room, Sender: sender, ClientMessageID: clientMessageID, Invoked: h.Now(), history: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends = append(h.sends, s)
	return s
}

// OK records the acknowledgement.
func (s *Send) OK(receipt Receipt) { s.end(OK, receipt, "") }

// Fail records a refusal for good.
func (s *Send) Fail(code string) { s.end(Failed, Receipt{}, code) }

// Info records that the outcome is not known.
func (s *Send) Info(why string) { s.end(Unknown, Receipt{}, why) }

func (s *Send) end(outcome Outcome, receipt Receipt, code string) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	s.Ended, s.Outcome, s.Receipt, s.Code = s.history.Now(), outcome, receipt, code
}

// attempted notes one try: how long it waited, and whether its connection lived.
func (s *Send) attempted(wait time.Duration, lived bool) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	s.Attempts++
	if lived {
		s.LongestWait = max(s.LongestWait, wait)
	}
}

// Change is a change of membership, made by somebody between Invoked and Acked.
type Change struct {
	Room           int64
	User           string
	Joined         bool // false: removed, or left
	Invoked, Acked time.Duration
}

// Member records that a user has become a member. The members of a new room are told with invoked = the time before
// its creation.
func (h *History) Member(room int64, user string, invoked time.Duration) {
	h.change(room, user, true, invoked)
}

// NoMember records that a user is a member no more; invoked is the time before it was asked for, now is its
// acknowledgement.
func (h *History) NoMember(room int64, user string, invoked time.Duration) {
	h.change(room, user, false, invoked)
}

func (h *History) change(room int64, user string, joined bool, invoked time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members = append(h.members, Change{Room: room, User: user, Joined: joined, Invoked: invoked, Acked: h.Now()})
}

// Changes are all changes of membership, in the order of their acknowledgements.
func (h *History) Changes() []Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.members)
}

// Refused counts an ERROR event or frame by its code.
func (h *History) Refused(code string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errors[code]++
}

// Errors are the ERROR events and frames of all clients, counted by code.
func (h *History) Errors() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[string]int, len(h.errors))
	for code, n := range h.errors {
		out[code] = n
	}
	return out
}

// Sends are all messages that were sent, in the order of their invocations.
func (h *History) Sends() []*Send {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sends)
}

// Acked is how many messages are acknowledged so far.
func (h *History) Acked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, s := range h.sends {
		if s.Outcome == OK {
			n++
		}
	}
	return n
}

// Stray records a delivery on a subscription whose UNSUBSCRIBE had its RECEIPT.
func (h *History) Stray() { h.strays.Add(1) }
