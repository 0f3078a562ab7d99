package session

import (
	"strconv"
	"strings"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// ackMode is the header ack of SUBSCRIBE.
type ackMode uint8

const (
	ackAuto       ackMode = iota // the default: nothing is acknowledged
	ackCumulative                // client: an ACK counts for all before it, too
	ackIndividual                // client-individual
)

func parseAckMode(header stomp.Header) (ackMode, bool) {
	switch header.Get("ack") {
	case "", "auto":
		return ackAuto, true
	case "client":
		return ackCumulative, true
	case "client-individual":
		return ackIndividual, true
	}
	return 0, false
}

// place is where a delivery stands on its subscription. On a room's topic, at is the event's seq; one without a seq
// stands behind the newest with one, as its extra-th of all such. Elsewhere at counts deliveries. Zero is no place.
type place struct{ at, extra int64 }

// rememberedIDs is how many message ids a subscription remembers, where the protocol has ACK name those.
const rememberedIDs = 256

// acks knows what may be acknowledged on a subscription. In 1.2 the ACK names a place, so the bounds of the places are
// all it takes: events of a log come without holes. In 1.0 and 1.1 the ACK names the message id: the newest ones are
// remembered, and once some are forgotten an unknown id may be one of them.
type acks struct {
	mode        ackMode
	byMessageID bool
	first, last int64 // the places so far; 0: none
	extras      int64 // the deliveries behind places
	marked      int64 // rooms: up to this seq the chat service has been told
	remembered  int64 // message ids ever put into recent
	recent      []recentID
}

// recentID is a message id in the ring acks.recent: the n-th stands at (n-1) % rememberedIDs.
type recentID struct {
	id string
	at place
}

// delivered notes a delivery, on a room's topic or not, and returns its place; the zero place for none that the ack
// header names.
func (a *acks) delivered(e *event.Event, room bool) place {
	if a.mode == ackAuto {
		return place{}
	}
	at := a.next(e.Seq, room)
	if !a.byMessageID {
		return at
	}
	if a.remembered++; len(a.recent) < rememberedIDs {
		a.recent = append(a.recent, recentID{e.MessageID, at})
	} else {
		a.recent[(a.remembered-1)%rememberedIDs] = recentID{e.MessageID, at}
	}
	return place{}
}

func (a *acks) next(seq int64, room bool) place {
	switch {
	case !room:
		seq = a.last + 1
	case seq <= 0:
		a.extras++
		return place{a.last, a.extras}
	}
	if a.first == 0 {
		a.first = seq
	}
	a.last = seq
	return place{at: seq}
}

// has says whether something was delivered at a place.
func (a *acks) has(p place) bool {
	if p.extra > 0 {
		return p.extra <= a.extras && p.at <= a.last
	}
	return a.first > 0 && a.first <= p.at && p.at <= a.last
}

// seqOf returns up to which seq of a room's log the ACK of a place counts; 0 for an ACK that counts for none.
func (a *acks) seqOf(p place) int64 {
	if p.extra > 0 && a.mode != ackCumulative {
		return 0
	}
	return p.at
}

// placeOf returns the place of a message that is remembered; of one that was delivered again, the newest.
func (a *acks) placeOf(messageID string) (place, bool) {
	for n := a.remembered; n > 0 && n > a.remembered-rememberedIDs; n-- {
		if r := a.recent[(n-1)%rememberedIDs]; r.id == messageID {
			return r.at, true
		}
	}
	return place{}, false
}

// mayForget says whether a message that is not remembered may have been delivered all the same.
func (a *acks) mayForget() bool { return a.mode == ackAuto || a.remembered > rememberedIDs }

// appendAckID appends the ack header of a MESSAGE: the subscription's number and the place, 3-7 or 3-7+1.
func appendAckID(dst []byte, subscription int, at place) []byte {
	dst = strconv.AppendInt(dst, int64(subscription), 10)
	dst = strconv.AppendInt(append(dst, '-'), at.at, 10)
	if at.extra > 0 {
		dst = strconv.AppendInt(append(dst, '+'), at.extra, 10)
	}
	return dst
}

func parseAckID(id string) (subscription int, at place, ok bool) {
	first, rest, _ := strings.Cut(id, "-")
	second, third, _ := strings.Cut(rest, "+")
	if third != "" {
		at.extra, _ = strconv.ParseInt(third, 10, 64)
	}
	subscription, _ = strconv.Atoi(first)
	at.at, _ = strconv.ParseInt(second, 10, 64)
	return subscription, at, at != place{} && string(appendAckID(nil, subscription, at)) == id
}

// acknowledged is what an ACK comes to: a room is delivered up to a seq, or, on a plain broker, messages are settled.
// Zero is nothing.
type acknowledged struct {
	room, seq int64
	settled   *action.Settlement
}

// refused is what a NACK comes to: a room's log has nothing to take back, a plain broker has.
func (got acknowledged) refused() acknowledged {
	if got.settled == nil {
		return acknowledged{}
	}
	got.settled.Refused = true
	return got
}

func settleAction(settled *action.Settlement) action.Action {
	return action.Action{Verb: action.Settle, Settlement: settled}
}

// acknowledge takes an ACK or NACK. On a room's topic a NACK is checked, and means nothing more.
func (s *session) acknowledge(f *stomp.Frame) error {
	if s.version == stomp.V10 && f.Command == stomp.CmdNack {
		return malformed(f, "unknown command", "STOMP 1.0 has no NACK")
	}
	got, err := s.checkAck(f)
	if err != nil {
		return err
	}
	if f.Command == stomp.CmdNack {
		got = got.refused()
	}
	id, within := f.Header.Lookup(transactionHeader)
	if !within {
		s.conclude(requestOf(f), got)
		return nil
	}
	tx, err := s.openTransaction(f, id)
	if err != nil {
		return err
	}
	if err := s.fits(f, tx); err != nil {
		return err
	}
	tx.acknowledge(got)
	s.answer(requestOf(f), nil)
	return nil
}

// conclude sees to what an ACK or NACK comes to.
func (s *session) conclude(req request, got acknowledged) {
	if got.settled != nil {
		s.submit(req, []action.Action{settleAction(got.settled)})
		return
	}
	s.markDelivered(req, got)
}

// checkAck returns what the frame acknowledges; an error when it names nothing that was delivered.
func (s *session) checkAck(f *stomp.Frame) (acknowledged, error) {
	if s.version == stomp.V12 {
		id, err := required(f, idHeader)
		if err != nil {
			return acknowledged{}, err
		}
		got, ok := s.deliveryAt(id)
		if !ok {
			return got, malformed(f, "unknown ack id", "no MESSAGE with this ack header was sent to this session")
		}
		return got, nil
	}
	messageID, err := required(f, messageIDHeader)
	if err != nil {
		return acknowledged{}, err
	}
	subscription := f.Header.Get("subscription")
	if s.version == stomp.V11 {
		if subscription, err = required(f, "subscription"); err != nil {
			return acknowledged{}, err
		}
	}
	got, ok := s.deliveryOf(subscription, messageID)
	if !ok {
		return got, malformed(f, "unknown message-id", "no MESSAGE with this message-id was sent on this subscription")
	}
	return got, nil
}

// deliveryAt looks the ack id of a 1.2 client up. Subscriptions that are over have left nothing: what may have been
// theirs is let through, and comes to nothing.
func (s *session) deliveryAt(id string) (acknowledged, bool) {
	number, at, ok := parseAckID(id)
	if !ok || number < 1 || number > s.reader.subscribed {
		return acknowledged{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		if sub.number == number {
			return sub.acknowledged(at), sub.acks.has(at)
		}
	}
	return acknowledged{}, true
}

// deliveryOf looks the message id of a 1.0 or 1.1 client up; a 1.0 client need not name the subscription. As some
// subscription that is over may have brought the message, an id is refused only while there was none.
func (s *session) deliveryOf(subscriptionID, messageID string) (acknowledged, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	subs := s.subs
	if subscriptionID != "" {
		subs = nil
		if sub := s.lookup(subscriptionID); sub != nil {
			subs = []*subscription{sub}
		}
	}
	known := false
	for _, sub := range subs {
		if at, ok := sub.acks.placeOf(messageID); ok {
			return sub.acknowledged(at), true
		}
		known = known || sub.acks.mayForget()
	}
	named := subscriptionID != "" && len(subs) > 0
	return acknowledged{}, known || !named && s.reader.subscribed > len(s.subs)
}

// acknowledged returns what an ACK of a place comes to. Call it under the session's mu.
func (sub *subscription) acknowledged(at place) acknowledged {
	switch {
	case sub.plain:
		return acknowledged{settled: &action.Settlement{
			Subscription: sub, Delivery: at.at, Cumulative: sub.acks.mode == ackCumulative,
		}}
	case sub.log.Room == 0:
		return acknowledged{}
	}
	return acknowledged{room: sub.log.Room, seq: sub.acks.seqOf(at)}
}
