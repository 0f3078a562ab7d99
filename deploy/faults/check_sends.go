package faults

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// key names a message for ever: clientMessageId is unique per log and sender.
type key struct {
	room    int64
	sender  string
	message string // clientMessageId
}

// intent is all that clients did about one message: repeats through several clients are one message.
type intent struct {
	key
	sends   []*Send
	invoked time.Duration // the first time
	acked   time.Duration // the first time; 0: never
	refused bool          // for good, by all who answered, and no answer is open
}

// gather makes intents of sends.
func (c *checker) gather() {
	for _, s := range c.history.Sends() {
		c.report.count(s)
		k := key{s.Room, s.Sender, s.ClientMessageID}
		i := c.intents[k]
		if i == nil {
			i = &intent{key: k, invoked: s.Invoked, refused: true}
			c.intents[k] = i
		}
		i.sends = append(i.sends, s)
		i.invoked = min(i.invoked, s.Invoked)
		i.refused = i.refused && s.Outcome == Failed
		if s.Outcome == OK && (i.acked == 0 || s.Ended < i.acked) {
			i.acked = s.Ended
		}
	}
}

func (r *Report) count(s *Send) {
	r.Sends++
	switch s.Outcome {
	case OK:
		r.Acked++
	case Failed:
		r.Failed++
	default:
		r.Unknown++
	}
}

// checkSends looks whether what was acknowledged is stored, as the RECEIPTs said, and whether repeats had one answer.
func (c *checker) checkSends() {
	for _, i := range c.intents {
		var first *Send // that was acknowledged
		news := 0       // RECEIPTs that say that the message was new
		for _, s := range i.sends {
			if s.Outcome != OK {
				continue
			}
			if !s.Receipt.Duplicate {
				news++
			}
			if first == nil {
				first = s
			} else if s.Receipt.Seq != first.Receipt.Seq || s.Receipt.MessageID != first.Receipt.MessageID {
				c.report.add(Duplicated, i.room, "message %s of %s was acknowledged as %s, seq %d, and as %s, seq %d", i.message,
					i.sender, first.Receipt.MessageID, first.Receipt.Seq, s.Receipt.MessageID, s.Receipt.Seq)
			}
		}
		if news > 1 {
			c.report.add(Duplicated, i.room, "%d RECEIPTs say that message %s of %s was new", news, i.message, i.sender)
		}
		if first != nil {
			c.checkAcked(first)
		}
	}
}

func (c *checker) checkAcked(s *Send) {
	e := c.room(s.Room).byKey[key{s.Room, s.Sender, s.ClientMessageID}]
	switch {
	case e == nil:
		c.report.add(Lost, s.Room, "message %s of %s was acknowledged as seq %d at %v, and is not in the store",
			s.ClientMessageID, s.Sender, s.Receipt.Seq, s.Ended)
	case e.Seq != s.Receipt.Seq || e.MessageID != "" && e.MessageID != s.Receipt.MessageID:
		c.report.add(Lost, s.Room, "message %s of %s was acknowledged as %s, seq %d, and stored as %s, seq %d",
			s.ClientMessageID, s.Sender, s.Receipt.MessageID, s.Receipt.Seq, e.MessageID, e.Seq)
	}
}

// checkRealTime looks whether the order of a log agrees with the clock: what was acknowledged before another message
// was sent comes first.
func (c *checker) checkRealTime() {
	byRoom := map[int64][]*intent{}
	for _, i := range c.intents {
		if c.storedSeq(i) > 0 {
			byRoom[i.room] = append(byRoom[i.room], i)
		}
	}
	for room, intents := range byRoom {
		slices.SortFunc(intents, func(a, b *intent) int { return cmp.Compare(c.storedSeq(b), c.storedSeq(a)) })
		earliest, after := time.Duration(math.MaxInt64), (*intent)(nil) // acknowledgement among those of larger seqs
		for _, b := range intents {
			if after != nil && earliest < b.invoked {
				c.report.add(RealTime, room, "message %s was acknowledged at %v as seq %d; message %s, sent later, at %v, has seq %d",
					after.message, earliest, c.storedSeq(after), b.message, b.invoked, c.storedSeq(b))
			}
			if b.acked > 0 && b.acked < earliest {
				earliest, after = b.acked, b
			}
		}
	}
}

// storedSeq is where a message stands in its log; 0 is nowhere.
func (c *checker) storedSeq(i *intent) int64 {
	if e := c.room(i.room).byKey[i.key]; e != nil {
		return e.Seq
	}
	return 0
}
