package swarm

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

// Plan is what one worker does. It travels as JSON.
type Plan struct {
	Scenario scenario.Scenario
	Target   scenario.Target
	Servers  []netip.AddrPort // user u connects to server u modulo their number, first
	Source   netip.Addr       // where connections come from; may be the zero one
	Run      string           // begins the names of users and the ids of messages
	Tokens   []string         // of its users, where the target wants some
	First    int              // its users are First … First+Count-1
	Count    int
	Rooms    []int64 // the number of each room
}

// Order is a line to a worker; the first has a Plan, all others Do.
type Order struct {
	Plan    *Plan            `json:",omitempty"` // the first one: connect everybody; Note.Live answers
	Do      string           `json:",omitempty"` // Go, Measure, Stop, Quit
	Expect  map[int][]uint32 `json:",omitempty"` // by room: how many messages of each sender there are; Note.Result answers
	Timeout time.Duration    `json:",omitempty"` // with Expect: how long to wait for what is missing
}

// What Order.Do says.
const (
	Go      = "go"      // begin the load
	Measure = "measure" // count from now on
	Stop    = "stop"    // no new messages; Note.Sent answers, when those under way are answered or 10 s are over
	Settle  = "settle"  // wait until every subscription has everything; Note.Result answers
	Quit    = "quit"
)

// Note is a line of a worker; one of the fields is set.
type Note struct {
	Tick   *Tick   `json:",omitempty"` // once a second
	Live   *Result `json:",omitempty"` // everybody is connected and subscribed; what that took
	Sent   *Sent   `json:",omitempty"` // the load has stopped
	Result *Result `json:",omitempty"`
	Failed string  `json:",omitempty"` // the run cannot go on
}

// Sent is how many messages the senders of a worker sent, by room and sender.
type Sent struct{ Rooms map[int][]uint32 }

// Tick is the last second.
type Tick struct {
	Live    int // connections that are live now
	Counts  Counts
	Message string // histogram of SEND to MESSAGE
}

// Counts add up what happened.
type Counts struct {
	Connects   int64 // connections that became live
	Sent       int64 // messages
	Accepted   int64 // receipts for messages
	Deliveries int64 // messages that came
	Others     int64 // MESSAGE frames that are no message of ours: presence, marks, errors
	Actions    int64 // read marks, typing signs, presence changes sent
	Refused    int64 // messages that the server would not take; they were sent again
	Cut        int64 // connections that we cut
	Broken     int64 // connections that ended by themselves, or could not be made
}

// Result is a worker's account.
type Result struct {
	Counts     Counts            // of the measurement
	CPU        time.Duration     // of the worker's process in the measurement
	Faults     Faults            // of the whole run
	Histograms map[string]string // of the measurement, by name, encoded; see Latency
	Samples    []string          // some of the errors
	Recovered  time.Duration     // from the storm until everybody was live again
}

// Faults are what must not happen.
type Faults struct{ Lost, Doubled, Reordered int64 }

// Add adds other counts.
func (c *Counts) Add(o Counts) {
	c.Connects += o.Connects
	c.Sent += o.Sent
	c.Accepted += o.Accepted
	c.Deliveries += o.Deliveries
	c.Others += o.Others
	c.Actions += o.Actions
	c.Refused += o.Refused
	c.Cut += o.Cut
	c.Broken += o.Broken
}

// Latency names what histograms hold.
type Latency string

// What is measured, in microseconds.
const (
	ConnectTime  Latency = "connect"  // begin of the TCP connection to the last subscription's RECEIPT
	ReceiptTime  Latency = "receipt"  // SEND to RECEIPT
	MessageTime  Latency = "message"  // SEND to MESSAGE, each delivery
	CompleteTime Latency = "complete" // SEND to the last MESSAGE, each broadcast of a room with one sender
)

// Latencies are all of them.
var Latencies = []Latency{ConnectTime, ReceiptTime, MessageTime, CompleteTime}

// NewHistogram makes a histogram of microseconds, up to two minutes, exact to a part in a thousand.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 120_000_000, 3) }

// Decode reads a histogram.
func Decode(text string) (*hdrhistogram.Histogram, error) {
	h, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read a histogram: %w", err)
	}
	return h, nil
}
