package session

import (
	"slices"
	"strconv"
	"strings"

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

// rememberedIDs is how many message ids a subscription remembers, where the protocol has ACK name those.
const rememberedIDs = 256

// acks knows what may be acknowledged on a subscription. In 1.2 deliveries are numbered and the ACK names the number,
// so a counter is all it takes. In 1.0 and 1.1 the ACK names the message id: the newest ones are remembered, and once
// some are forgotten an unknown id may be one of them.
type acks struct {
	mode        ackMode
	byMessageID bool
	count       int64    // deliveries so far
	recent      []string // their message ids, a ring: number n stands at (n-1) % rememberedIDs
}

// delivered notes a delivery and returns the number for its ack header, 0 for none.
func (a *acks) delivered(messageID string) int64 {
	if a.mode == ackAuto {
		return 0
	}
	a.count++
	if !a.byMessageID {
		return a.count
	}
	if len(a.recent) < rememberedIDs {
		a.recent = append(a.recent, messageID)
	} else {
		a.recent[(a.count-1)%rememberedIDs] = messageID
	}
	return 0
}

// mayKnow says whether the message may have been delivered on this subscription.
func (a *acks) mayKnow(messageID string) bool {
	return a.mode == ackAuto || a.count > rememberedIDs || slices.Contains(a.recent, messageID)
}

// ackID is the ack header of a MESSAGE: the subscription's number and the delivery's.
func ackID(subscription int, delivery int64) string {
	return string(appendAckID(nil, subscription, delivery))
}

func appendAckID(dst []byte, subscription int, delivery int64) []byte {
	dst = strconv.AppendInt(dst, int64(subscription), 10)
	return strconv.AppendInt(append(dst, '-'), delivery, 10)
}

func parseAckID(id string) (subscription int, delivery int64, ok bool) {
	first, second, ok := strings.Cut(id, "-")
	subscription, err1 := strconv.Atoi(first)
	delivery, err2 := strconv.ParseInt(second, 10, 64)
	return subscription, delivery, ok && err1 == nil && err2 == nil && ackID(subscription, delivery) == id
}

// acknowledge takes an ACK or NACK: checked, and without effect in this version of the contract.
func (s *session) acknowledge(f *stomp.Frame) error {
	if s.version == stomp.V10 && f.Command == stomp.CmdNack {
		return malformed(f, "unknown command", "STOMP 1.0 has no NACK")
	}
	if err := s.checkAck(f); err != nil {
		return err
	}
	if id, within := f.Header.Lookup(transactionHeader); within {
		tx, err := s.openTransaction(f, id)
		if err != nil {
			return err
		}
		if err := s.fits(f, tx); err != nil {
			return err
		}
	}
	s.answer(requestOf(f), nil)
	return nil
}

// checkAck says whether the frame names something that was delivered.
func (s *session) checkAck(f *stomp.Frame) error {
	if s.version == stomp.V12 {
		id, err := required(f, idHeader)
		if err != nil {
			return err
		}
		if !s.wasDelivered(id) {
			return malformed(f, "unknown ack id", "no MESSAGE with this ack header was sent to this session")
		}
		return nil
	}
	messageID, err := required(f, messageIDHeader)
	if err != nil {
		return err
	}
	subscription := f.Header.Get("subscription")
	if s.version == stomp.V11 {
		if subscription, err = required(f, "subscription"); err != nil {
			return err
		}
	}
	if !s.mayHaveDelivered(subscription, messageID) {
		return malformed(f, "unknown message-id", "no MESSAGE with this message-id was sent on this subscription")
	}
	return nil
}

// wasDelivered checks the ack id of a 1.2 client. Subscriptions that are over have left no count: what may have been
// theirs is let through.
func (s *session) wasDelivered(id string) bool {
	number, delivery, ok := parseAckID(id)
	if !ok || number < 1 || number > s.reader.subscribed || delivery < 1 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		if sub.number == number {
			return delivery <= sub.acks.count
		}
	}
	return true
}

// mayHaveDelivered checks the message id of a 1.0 or 1.1 client; a 1.0 client need not name the subscription. As some
// subscription that is over may have brought the message, an id is refused only while there was none.
func (s *session) mayHaveDelivered(subscription, messageID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if subscription != "" {
		sub := s.lookup(subscription)
		if sub != nil {
			return sub.acks.mayKnow(messageID)
		}
		return s.reader.subscribed > len(s.subs)
	}
	for _, sub := range s.subs {
		if sub.acks.mayKnow(messageID) {
			return true
		}
	}
	return s.reader.subscribed > len(s.subs)
}
