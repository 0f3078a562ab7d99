package session

import (
	"slices"
	"strconv"

	"github.com/fliliy/chat/gateway/internal/destination"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// subscription is one SUBSCRIBE of the session; the hub knows it as a sink. What changes is guarded by session.mu.
type subscription struct {
	session     *session
	id          string
	header      string // the id as it stands in MESSAGE, escaped
	destination string
	number      int       // among all of the session
	log         event.Log // zero: the errors queue, which is the session's own
	plain       bool      // of a plain broker, whose messages are settled by ACK and NACK
	acks        acks

	joining bool // the hub has not said yet that it is live: what is delivered is a replay
	entered bool // presence counts it
	over    bool

	awaited bool           // PRESENCE is on its way
	held    []*event.Event // USER_STATUS meanwhile: it is newer than what PRESENCE says, or as old
}

// subscribe opens a subscription. It is a barrier: it starts once the outcomes of earlier frames are told.
func (s *session) subscribe(f *stomp.Frame) error {
	req := requestOf(f)
	sub, err := s.newSubscription(f)
	if err != nil {
		return err
	}
	if cause, err := s.maySubscribe(); cause != nil || err != nil {
		return s.refuseOrEnd(req, cause, err)
	}
	lastSeq, cause := parseLastSeq(f.Header)
	target, refused := s.deps.Destinations.ParseSubscribe(sub.destination)
	switch {
	case refused != nil:
		s.answer(req, invalid("%v", refused))
		return nil
	case cause != nil:
		s.answer(req, cause)
		return nil
	case !s.barrier():
		return nil
	}
	joined, failed := s.open(sub, target, lastSeq)
	if failed == nil && sub.log != (event.Log{}) && joined.Seq >= 0 {
		req.position = &joined.Seq
	}
	s.answer(req, failed)
	if failed == nil {
		s.tellPresence(sub, joined.Members)
	}
	return nil
}

// newSubscription reads what SUBSCRIBE says about the subscription itself. A 1.0 client may leave out the id; then the
// destination stands for it.
func (s *session) newSubscription(f *stomp.Frame) (*subscription, error) {
	name, err := required(f, destinationHeader)
	if err != nil {
		return nil, err
	}
	id, err := s.subscriptionID(f)
	if err != nil {
		return nil, err
	}
	mode, ok := parseAckMode(f.Header)
	if !ok {
		return nil, malformed(f, "bad ack mode", "the header ack has to be auto, client or client-individual")
	}
	if s.find(id) != nil {
		return nil, malformed(f, "subscription exists", "the session has a subscription with this id already")
	}
	if s.isFull() {
		return nil, beyondLimit(f, metrics.LimitSubscriptions, "too many subscriptions",
			"a session may have "+strconv.Itoa(s.cfg.Subscriptions)+" subscriptions")
	}
	return &subscription{
		session:     s,
		id:          id,
		header:      string(stomp.AppendEscaped(nil, s.version, id)),
		destination: name,
		acks:        acks{mode: mode, byMessageID: s.version != stomp.V12},
	}, nil
}

// subscriptionID returns the id that a SUBSCRIBE or UNSUBSCRIBE means.
func (s *session) subscriptionID(f *stomp.Frame) (string, error) {
	if s.version == stomp.V10 && f.Header.Get(idHeader) == "" {
		return required(f, destinationHeader)
	}
	return required(f, idHeader)
}

// parseLastSeq reads the header last-seq; -1 without one.
func parseLastSeq(header stomp.Header) (int64, *event.Error) {
	text, ok := header.Lookup("last-seq")
	if !ok {
		return -1, nil
	}
	seq, err := strconv.ParseUint(text, 10, 63)
	if err != nil || text[0] == '+' {
		return 0, invalid("last-seq has to be the seq of the last event that was received, a number from 0 on")
	}
	return int64(seq), nil //nolint:gosec // 63 bits
}

// open makes a subscription live.
func (s *session) open(
	sub *subscription, target destination.Destination, lastSeq int64,
) (event.Joined, error) {
	switch target.Kind {
	case destination.RoomTopic:
		sub.log = event.Log{Room: target.Room}
	case destination.Inbox:
		sub.log = event.Log{User: s.user}
	case destination.Plain:
		sub.log, sub.plain = event.Log{User: sub.destination}, true
	default:
		s.add(sub)
		return event.Joined{}, nil
	}
	if !s.awaitReplays() {
		return event.Joined{}, nil
	}
	sub.joining, sub.awaited = true, sub.log.Room > 0 && s.deps.Where != nil
	s.add(sub)
	ctx, done := s.call()
	joined, err := s.deps.Hub.Subscribe(ctx, s.user, sub.log, lastSeq, sub)
	done()
	s.opened(sub, err)
	return joined, err
}

// awaitReplays waits until earlier replays are written. A replay may be larger than the send queue, so it does not
// count against it; instead, a session has one at a time.
func (s *session) awaitReplays() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.out.replaying > 0 && s.isAlive() {
		s.changed.Wait()
	}
	return s.isAlive()
}

func (s *session) add(sub *subscription) {
	s.reader.subscribed++
	sub.number = s.reader.subscribed
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs = append(s.subs, sub)
}

// opened notes what the hub said. The subscription may be over by now: its user may have lost access again.
func (s *session) opened(sub *subscription, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.joining = false
	switch {
	case err != nil:
		s.remove(sub)
	case !sub.over && sub.log.Room > 0:
		sub.entered = true
		s.deps.Presence.Enter(s.id, s.user, sub.log.Room)
	}
}

// remove ends a subscription of the session. It says false when it was over already. Call it under mu.
func (s *session) remove(sub *subscription) bool {
	if sub.over {
		return false
	}
	sub.over = true
	s.subs = slices.DeleteFunc(s.subs, func(other *subscription) bool { return other == sub })
	if sub.entered {
		s.deps.Presence.Leave(s.id, s.user, sub.log.Room)
	}
	return true
}

// unsubscribe ends a subscription, the one that the session knows under the id; nothing else in the frame has a say.
// It is a barrier, and after its RECEIPT no MESSAGE of the subscription follows.
func (s *session) unsubscribe(f *stomp.Frame) error {
	req := requestOf(f)
	id, err := s.subscriptionID(f)
	if err != nil {
		return err
	}
	if !s.barrier() {
		return nil
	}
	if sub := s.take(id); sub != nil && sub.log != (event.Log{}) {
		s.deps.Hub.Unsubscribe(sub.log, sub)
	}
	s.answer(req, nil)
	return nil
}

// take removes and returns the subscription with this id, or nil.
func (s *session) take(id string) *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.lookup(id)
	if sub == nil || !s.remove(sub) {
		return nil
	}
	return sub
}

// takeSubscriptions removes all subscriptions and returns those the hub knows. Presence forgets the session as a
// whole.
func (s *session) takeSubscriptions() []*subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	subs := slices.DeleteFunc(s.subs, func(sub *subscription) bool { return sub.log == event.Log{} })
	for _, sub := range subs {
		sub.over = true
	}
	s.subs = nil
	return subs
}

func (s *session) find(id string) *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookup(id)
}

// lookup is find for those who hold mu. In 1.0 a destination may stand for the id of its subscription.
func (s *session) lookup(id string) *subscription {
	for _, sub := range s.subs {
		if sub.id == id {
			return sub
		}
	}
	if s.version == stomp.V10 {
		for _, sub := range s.subs {
			if sub.destination == id {
				return sub
			}
		}
	}
	return nil
}

func (s *session) isFull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.subs) >= s.cfg.Subscriptions
}

// Session implements event.Sink.
func (sub *subscription) Session() string { return sub.session.id }

// Acknowledges implements event.Acknowledger.
func (sub *subscription) Acknowledges() bool { return sub.acks.mode != ackAuto }

// Deliver implements event.Sink.
func (sub *subscription) Deliver(e *event.Event) {
	sub.session.mu.Lock()
	defer sub.session.mu.Unlock()
	sub.deliver(e)
}

// deliver is Deliver for those who hold mu.
func (sub *subscription) deliver(e *event.Event) {
	if sub.over || sub.holds(e) || sub.session.skips(e) {
		return
	}
	it := item{frame: e.Frame, sub: sub, ack: sub.acks.delivered(e, sub.log.Room > 0)}
	if !sub.joining {
		it.cost = e.Frame.Len() + len(sub.header) + itemCost
	}
	sub.session.enqueue(it)
}

// End implements event.Sink. Losing a room must not cost the connection, so a client without an errors queue is told
// on the subscription itself.
func (sub *subscription) End(cause *event.Error) {
	s := sub.session
	s.countRefusal(cause.Code)
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.over {
		return
	}
	e := s.refusedEvent(request{destination: sub.destination}, cause)
	if !s.deliverLocally(&e) {
		own := event.New(sub.destination, e.Kind, 0, e.MessageID, e.Frame.Body())
		sub.deliver(&own)
	}
	s.remove(sub)
}
