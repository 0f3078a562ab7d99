package swarm

import (
	"strconv"
	"time"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

// sender is a user who sends in a room.
type sender struct {
	client int
	to     *sub
}

// findSenders lists the senders among the clients, those of one room apart from each other.
func findSenders(clients []client) (senders []sender) {
	for i := range clients {
		for j := range clients[i].subs {
			if to := &clients[i].subs[j]; to.sender >= 0 {
				senders = append(senders, sender{i, to})
			}
		}
	}
	return senders
}

// sendNext sends a sender's next message.
func (s *Swarm) sendNext(by sender, at time.Duration) {
	by.to.sent++
	s.account.second.Sent++
	s.underwayMessages++
	s.send(by.client, by.to, by.to.sent, at)
}

// send sends a message, for the first time or again.
func (s *Swarm) send(i int, to *sub, number uint32, at time.Duration) {
	//nolint:gosec // G115: indexes are small
	mark := stamp{uint32(to.room), uint16(to.sender), number, at}
	s.content = append(mark.append(s.content[:0]), s.padding...)
	s.id = append(append(s.id[:0], s.plan.Run...), s.content[1:stampLen-16]...)
	s.values[scenario.Room], s.values[scenario.Payload], s.values[scenario.ID] = s.rooms[to.room].number, s.content, s.id
	frame := append(s.out[:0], "SEND\ndestination:"...)
	frame = s.text.send.Append(frame, &s.values)
	frame = append(append(frame, "\ncontent-type:"...), s.plan.Target.ContentType...)
	frame = append(append(frame, "\nreceipt:"...), s.content[:stampLen]...)
	frame = append(frame, "\ncontent-length:"...)
	frame = strconv.AppendInt(frame, int64(s.text.body.Len(&s.values)), 10)
	frame = append(frame, "\n\n"...)
	frame = s.text.body.Append(frame, &s.values)
	s.transmit(i, append(frame, 0))
}

// isFull says whether the next message would push one without an answer out of the window.
func (to *sub) isFull() bool {
	return to.sent >= trackWindow && !to.acks.has(to.sent+1-trackWindow)
}

// resend sends again what a connection that broke left without an answer.
func (s *Swarm) resend(i int) {
	for j := range s.clients[i].subs {
		to := &s.clients[i].subs[j]
		if to.sender < 0 {
			continue
		}
		for number := to.sent - min(to.sent, trackWindow) + 1; number <= to.sent; number++ {
			if !to.acks.has(number) {
				s.send(i, to, number, s.loop.Now())
			}
		}
	}
}

// answered goes on with a closed loop after a receipt.
func (s *Swarm) answered(i int, to *sub) {
	if s.loading && s.plan.Scenario.Load.Closed == scenario.Receipt {
		s.sendNext(sender{i, to}, s.loop.Now())
	}
	s.drained()
}

// completed goes on with a closed loop after a broadcast is complete.
func (s *Swarm) completed(r int) {
	if !s.loading || s.plan.Scenario.Load.Closed != scenario.Complete {
		return
	}
	if by := s.rooms[r].sender; by != nil {
		s.sendNext(*by, s.loop.Refresh())
	}
}

// act sends what is no message.
func (s *Swarm) act(i int, what *action, r int) {
	values := s.valuesOf(i)
	values[scenario.Room] = s.rooms[r].number
	frame := append(s.out[:0], "SEND\ndestination:"...)
	frame = what.destination.Append(frame, values)
	frame = append(frame, "\ncontent-type:application/json\n\n"...)
	s.account.second.Actions++
	s.transmit(i, append(what.body.Append(frame, values), 0))
}
