package relay

import (
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// maxSends is how often a command is sent at most.
const maxSends = 3

// What a client is told about a command that was not answered.
const (
	fullText     = "too many messages are waiting for the chat service; send again in a moment"
	stoppingText = "this node is stopping; connect again and send once more"
	unsentText   = "the chat service cannot be reached right now and nothing was stored; send again"
	unknownText  = "the chat service did not answer and it is not known whether the message was stored; " +
		"send it again with the same clientMessageId"
)

// lane keeps commands in order and one stream busy. It owns the state; stream.go moves it over the wire.
type lane struct {
	number  int
	client  chatv1.RelayServiceClient
	opts    Options
	wake    chan struct{} // holds a token while something may be waiting
	settled []*command    // of the receiving goroutine, kept for its memory

	// mu guards what follows. No callback and no call on the stream is made under it.
	mu          sync.Mutex
	waiting     fifo   // not sent on this stream, oldest first
	flight      fifo   // sent on this stream and not answered, oldest first; slot i has the id firstID+i
	firstID     uint64 // ids grow for ever, over all streams of the lane
	held        int    // commands that are not answered, in waiting, in flight or between
	heldBytes   int
	stopping    bool
	idle        chan struct{} // closed when stopping and held is 0
	isUp        bool
	changed     time.Time // when isUp did
	silentSince time.Time // since when this stream owes an answer and has given none
}

func newLane(number int, client chatv1.RelayServiceClient, opts Options) *lane {
	return &lane{
		number:  number,
		client:  client,
		opts:    opts,
		wake:    make(chan struct{}, 1),
		firstID: 1,
		idle:    make(chan struct{}),
		changed: time.Now(),
	}
}

// submit queues a command, or says why not.
func (l *lane) submit(c *command) *event.Error {
	c.deadline = time.Now().Add(l.opts.Timeout)
	l.mu.Lock()
	if l.stopping {
		l.mu.Unlock()
		return unavailable(stoppingText)
	}
	if l.held >= l.opts.QueueCommands || (l.held > 0 && l.heldBytes+c.size > l.opts.QueueBytes) {
		l.mu.Unlock()
		return unavailable(fullText)
	}
	l.held++
	l.heldBytes += c.size
	l.waiting.push(c)
	l.mu.Unlock()
	l.opts.InFlight.Add(1)
	l.nudge()
	return nil
}

func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// batch moves the next commands from waiting to flight and appends them to the list, which it returns.
func (l *lane) batch(list []*chatv1.RelayCommand) []*chatv1.RelayCommand {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flight.len() == 0 {
		l.silentSince = time.Now()
	}
	size := 0
	for len(list) < maxBatchCommands && l.waiting.len() > 0 {
		c := l.waiting.at(0)
		if size += c.size; size > maxBatchBytes && len(list) > 0 {
			break
		}
		l.waiting.pop()
		c.message.Id = l.firstID + uint64(l.flight.len()) //nolint:gosec // a length
		c.sends++
		l.flight.push(c)
		list = append(list, &c.message)
	}
	return list
}

// settle ends the commands that a response answers. Ids that are not in flight are ignored: they were given up.
// It is called by the stream's receiving goroutine only.
func (l *lane) settle(results []*chatv1.RelayResult) {
	outcomes := 0
	l.mu.Lock()
	l.silentSince = time.Now()
	for _, result := range results {
		var c *command
		if i := result.GetId() - l.firstID; i < uint64(l.flight.len()) { //nolint:gosec // a length; older ids wrap
			c = l.flight.take(int(i)) //nolint:gosec // less than a length
		}
		if c != nil {
			outcomes += len(c.message.Actions)
		}
		l.settled = append(l.settled, c)
	}
	// Ids are reckoned from firstID above, so the front moves only now.
	l.firstID += uint64(l.flight.trim()) //nolint:gosec // a count
	l.release(l.settled)
	l.mu.Unlock()

	stored := make([]action.Stored, outcomes)
	for i, c := range l.settled {
		if c == nil {
			continue
		}
		n := len(c.message.Actions)
		c.answer(results[i], stored[:n:n])
		stored = stored[n:]
	}
	clear(l.settled)
	l.settled = l.settled[:0]
}

// release takes ended commands off the account. The caller holds mu.
func (l *lane) release(ended []*command) {
	n := 0
	for _, c := range ended {
		if c != nil {
			n++
			l.heldBytes -= c.size
		}
	}
	l.held -= n
	l.opts.InFlight.Add(float64(-n))
	if n > 0 {
		l.closeIdle()
	}
}

// closeIdle says that the lane is empty and stays so, once. The caller holds mu and has just made one of both true.
func (l *lane) closeIdle() {
	if l.stopping && l.held == 0 {
		close(l.idle)
	}
}

// stop makes the lane refuse commands; the channel is closed once it is empty. It is called once.
func (l *lane) stop() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
	l.closeIdle()
	return l.idle
}

// expire ends the commands whose time is over, and says whether the stream has owed an answer for too long.
func (l *lane) expire(now time.Time) (stalled bool) {
	var unsent, unknown []*command
	l.mu.Lock()
	for i := 0; i < l.flight.len(); i++ {
		if c := l.flight.at(i); c == nil {
			continue
		} else if c.deadline.After(now) {
			break
		}
		unknown = append(unknown, l.flight.take(i))
	}
	l.firstID += uint64(l.flight.trim()) //nolint:gosec // a count
	for l.waiting.len() > 0 && !l.waiting.at(0).deadline.After(now) {
		if c := l.waiting.pop(); c.sends == 0 {
			unsent = append(unsent, c)
		} else {
			unknown = append(unknown, c)
		}
	}
	l.release(unsent)
	l.release(unknown)
	stalled = l.isUp && l.flight.len() > 0 && now.Sub(l.silentSince) >= l.opts.Timeout/2
	l.mu.Unlock()
	fail(unsent, unsentText)
	fail(unknown, unknownText)
	return stalled
}

// opened notes that a stream stands, and says whether none did before.
func (l *lane) opened() (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silentSince = time.Now()
	if l.isUp {
		return false
	}
	l.isUp, l.changed = true, l.silentSince
	return true
}

// down notes that no stream stands.
func (l *lane) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isUp {
		l.isUp, l.changed = false, time.Now()
	}
}

// retire decides about the commands that a stream which is gone leaves without an answer: those that can be sent again
// go to the front of the queue, the others end. After an end in good order all can. It returns how many there were of
// each.
func (l *lane) retire(inOrder bool) (again, lost int) {
	l.mu.Lock()
	l.firstID += uint64(l.flight.len()) //nolint:gosec // a length
	unanswered := l.flight.drain()
	l.mu.Unlock()

	var repeat, unknown []*command
	for _, c := range unanswered {
		if inOrder {
			c.sends-- // nobody has looked at it
		}
		if inOrder || c.sends < maxSends && repeatable(&c.message) {
			repeat = append(repeat, c)
		} else {
			unknown = append(unknown, c)
		}
	}
	l.mu.Lock()
	l.waiting.prepend(repeat)
	l.release(unknown)
	l.mu.Unlock()
	l.nudge()
	fail(unknown, unknownText)
	return len(repeat), len(unknown)
}

// close ends whatever is left. The lane is stopping and has no stream.
func (l *lane) close() {
	l.mu.Lock()
	l.isUp, l.changed = false, time.Now()
	left := append(l.flight.drain(), l.waiting.drain()...)
	l.release(left)
	l.mu.Unlock()
	for _, c := range left {
		text := stoppingText
		if c.sends > 0 {
			text = unknownText
		}
		c.done(nil, unavailable(text))
	}
}

// up says whether the stream stands, and since when it does or does not.
func (l *lane) up() (since time.Time, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed, l.isUp
}

func fail(commands []*command, message string) {
	for _, c := range commands {
		c.done(nil, unavailable(message))
	}
}
