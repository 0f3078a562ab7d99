package swarm

import (
	"bytes"
	"time"

	"github.com/fliliy/chat/deploy/loadgen/sockets"
)

// retryAfter is how long a refused message, or a connection that broke, waits for its next try.
const retryAfter = 100 * time.Millisecond

// Message takes what the server sent: one frame or several.
func (s *Swarm) Message(conn *sockets.Conn, data []byte) {
	i := conn.Owner
	for s.clients[i].conn == conn {
		f, rest, ok, broken := next(data)
		if broken {
			s.account.sample("user %d got what is no STOMP frame: %.80q", s.plan.First+i, data)
			s.drop(i, errBroken)
		}
		if !ok {
			return
		}
		s.take(i, f)
		data = rest
	}
}

// drop ends a connection because of what the server sent.
func (s *Swarm) drop(i int, err error) {
	s.loop.Close(s.clients[i].conn)
	s.lost(i, err)
}

func (s *Swarm) take(i int, f frame) {
	switch f.command {
	case message:
		s.delivery(i, f)
	case receipt:
		s.receipt(i, f)
	case connected:
		s.subscribe(i)
	case failure:
		s.account.sample("user %d got ERROR %q %.200q", s.plan.First+i, f.head, f.body)
		s.drop(i, errRefused)
	}
}

// delivery takes a MESSAGE.
func (s *Swarm) delivery(i int, f frame) {
	c := &s.clients[i]
	mark, stamped := findStamp(f.body)
	var to *sub
	if stamped {
		to = c.find(mark.room)
	}
	if c.stage == subscribing && !stamped && s.isRefusal(f) {
		s.account.sample("a SUBSCRIBE of user %d is refused: %.200q", s.plan.First+i, f.body)
		s.drop(i, errRefused) // no RECEIPT will come: once more, from the beginning
		return
	}
	if to == nil || int(mark.sender) >= len(to.tracks) {
		s.account.second.Others++
		return
	}
	if s.isRefusal(f) {
		s.refused(i, to, mark)
		return
	}
	if len(s.text.queues) > 0 && ofQueue(f) {
		s.account.second.Others++ // a live copy, from before the room was subscribed again: it comes there as well
		return
	}
	if s.plan.Target.Resume != "" {
		if text, found := value(f.head, seqHeader); found {
			if seq, valid := decimal(text); valid {
				to.lastSeq = max(to.lastSeq, seq)
			}
		}
	}
	switch to.tracks[mark.sender].take(mark.number) {
	case double:
		s.account.faults.Doubled++
		return
	case late:
		s.account.faults.Reordered++
	case inOrder:
	}
	s.account.second.Deliveries++
	note(s.account.moment, s.loop.Now()-mark.at)
	s.arrived(to.room, mark)
}

var errorEvent = []byte(`"event":"ERROR"`)

// ofQueue says whether a MESSAGE belongs to a subscription of a user's queue.
func ofQueue(f frame) bool {
	id, found := value(f.head, subscriptionHeader)
	return found && len(id) > 0 && id[0] == 'q'
}

// isRefusal says whether a MESSAGE is no message but says that one was refused.
func (s *Swarm) isRefusal(f frame) bool {
	return s.plan.Target.Errors != "" && bytes.HasPrefix(f.body, []byte{'{'}) && bytes.Contains(f.body[:min(len(f.body), 40)], errorEvent)
}

// refused sends a message again, a little later.
func (s *Swarm) refused(i int, to *sub, mark stamp) {
	s.account.second.Refused++
	if s.account.second.Refused == 1 {
		s.account.sample("a message of user %d is refused", s.plan.First+i)
	}
	s.later = append(s.later, later{s.loop.Now() + retryAfter, func() {
		if s.clients[i].stage == live && !to.acks.has(mark.number) {
			s.send(i, to, mark.number, mark.at)
		}
	}})
	s.arm()
}

// receipt takes a RECEIPT: of a SUBSCRIBE, or of a message.
func (s *Swarm) receipt(i int, f frame) {
	text, _ := value(f.head, receiptID)
	mark, stamped := findStamp(text)
	if !stamped {
		s.subscribed(i)
		return
	}
	to := s.clients[i].find(mark.room)
	if to == nil || to.acks.take(mark.number) == double {
		return
	}
	s.account.second.Accepted++
	s.account.record(ReceiptTime, s.loop.Now()-mark.at)
	s.underwayMessages--
	s.answered(i, to)
}

// arrived follows a message to the last member of its room, where the room has one sender.
func (s *Swarm) arrived(r int, mark stamp) {
	where := &s.rooms[r]
	if where.flights == nil {
		return
	}
	f := &where.flights[mark.number%flights]
	if f.number != mark.number {
		f.number, f.left = mark.number, where.locals
	}
	if f.left--; f.left == 0 {
		s.account.record(CompleteTime, s.loop.Now()-mark.at)
		s.completed(r)
	}
}
