// Package conformance is a small STOMP broker in memory, behind the same session that serves the chat: it exists so
// that public suites of others, which expect a plain broker, can be run against our protocol code. It is no product:
// one process, loopback only, nothing is stored.
//
// It implements the session's ports Hub, Relay, Destinations, Authenticator and Presence. /topic/** reaches every
// subscription, /queue/** one of them in turn; what nobody subscribes waits on a queue, and is lost on a topic. Messages of
// subscriptions in ack mode client and client-individual wait for their ACK: after a NACK, an UNSUBSCRIBE or the end
// of the session they are delivered again, with the header redelivered:true. The composition root serves it.
package conformance

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
)

// unsettledMax is how many messages of a subscription may wait for an ACK; others wait for those. It is what a session
// remembers of message ids, by which clients of STOMP 1.0 and 1.1 acknowledge.
const unsettledMax = 256

// Broker keeps queues and subscriptions. It is safe for concurrent use.
//
// Lock order: mu, then what a session has inside.
type Broker struct {
	mu        sync.Mutex
	queues    map[string]*queue        // by destination: those of /queue
	topics    map[string][]*consumer   // by destination: each has a queue of its own
	consumers map[event.Sink]*consumer // all of them
	published int                      // messages so far, for their ids
	kept      int                      // bytes of messages that wait
	keptMax   int
}

// New makes an empty broker. What waits in it, for a subscription or an ACK, may have so many bytes of bodies.
func New(keptMax int) *Broker {
	return &Broker{
		keptMax:   keptMax,
		queues:    make(map[string]*queue),
		topics:    make(map[string][]*consumer),
		consumers: make(map[event.Sink]*consumer),
	}
}

// consumer is one subscription of a session.
type consumer struct {
	sink      event.Sink
	queue     *queue
	acks      bool       // the client settles what it gets
	delivered int64      // messages so far
	unsettled []delivery // in their order
}

// delivery is a message that waits for its ACK.
type delivery struct {
	number  int64 // among all of the consumer
	message *message
}

// hasRoom says whether a message may be delivered now.
func (c *consumer) hasRoom() bool { return !c.acks || len(c.unsettled) < unsettledMax }

// Subscribe implements session.Hub; the log's user is the destination. It delivers what waits.
func (b *Broker) Subscribe(
	_ context.Context, _ string, log event.Log, _ int64, sink event.Sink,
) (event.Joined, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &consumer{sink: sink}
	if who, ok := sink.(event.Acknowledger); ok {
		c.acks = who.Acknowledges()
	}
	b.consumers[sink] = c
	if isTopic(log.User) {
		c.queue = &queue{}
		b.topics[log.User] = append(b.topics[log.User], c)
	} else {
		c.queue = b.queue(log.User)
	}
	c.queue.consumers = append(c.queue.consumers, c)
	b.deliver(c.queue)
	return event.Joined{Seq: -1}, nil
}

// Unsubscribe implements session.Hub. What the subscription has not settled goes to the others of its queue.
func (b *Broker) Unsubscribe(log event.Log, sink event.Sink) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.consumers[sink]
	if c == nil {
		return
	}
	delete(b.consumers, sink)
	q := c.queue
	q.remove(c)
	q.takeBack(c.unsettled)
	if isTopic(log.User) {
		for _, m := range q.waiting {
			b.kept -= m.size()
		}
		b.topics[log.User] = slices.DeleteFunc(b.topics[log.User], func(other *consumer) bool { return other == c })
		if len(b.topics[log.User]) == 0 {
			delete(b.topics, log.User)
		}
		return
	}
	b.deliver(q)
	b.forgetIfEmpty(log.User, q)
}

// Submit implements session.Relay: it does all actions, in order, or none. What an ACK or NACK sets free is delivered
// behind its RECEIPT: a client that waits for that must not get the next message first.
func (b *Broker) Submit(_ string, actions []action.Action, done func([]action.Stored, error)) {
	freed, err := b.do(actions)
	if err != nil {
		done(nil, err)
		return
	}
	done(make([]action.Stored, len(actions)), nil)
	if len(freed) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range freed {
		b.deliver(q)
	}
}

// do returns the queues that have something to deliver or somebody to take it again.
func (b *Broker) do(actions []action.Action) (freed []*queue, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := 0
	for i := range actions {
		size += len(actions[i].Body)
	}
	if b.kept+size > b.keptMax {
		return nil, &event.Error{
			Code:    event.Unavailable,
			Message: "too much waits in this broker: let somebody subscribe and acknowledge, or restart it",
		}
	}
	for i := range actions {
		switch actions[i].Verb {
		case action.Publish:
			b.publish(&actions[i])
		case action.Settle:
			if q := b.settle(actions[i].Settlement); q != nil {
				freed = append(freed, q)
			}
		}
	}
	return freed, nil
}

func (b *Broker) publish(act *action.Action) {
	b.published++
	m := newMessage(b.published, act)
	if !isTopic(m.destination) {
		b.put(b.queue(m.destination), m)
		return
	}
	for _, c := range b.topics[m.destination] {
		b.put(c.queue, m)
	}
}

// settle takes an ACK or NACK, and returns the queue it was about. The subscription may be over, or the message
// settled before: then it means nothing.
func (b *Broker) settle(s *action.Settlement) *queue {
	c := b.consumers[s.Subscription]
	if c == nil {
		return nil
	}
	var settled, left []delivery
	for _, d := range c.unsettled {
		if d.number == s.Delivery || s.Cumulative && d.number < s.Delivery {
			settled = append(settled, d)
		} else {
			left = append(left, d)
		}
	}
	c.unsettled = left
	if s.Refused {
		c.queue.takeBack(settled)
	} else {
		for _, d := range settled {
			b.kept -= d.message.size()
		}
	}
	return c.queue
}

func (b *Broker) queue(name string) *queue {
	q := b.queues[name]
	if q == nil {
		q = &queue{}
		b.queues[name] = q
	}
	return q
}

func (b *Broker) forgetIfEmpty(name string, q *queue) {
	if len(q.waiting) == 0 && len(q.consumers) == 0 {
		delete(b.queues, name)
	}
}

func (b *Broker) put(q *queue, m *message) {
	q.waiting = append(q.waiting, m)
	b.kept += m.size()
	b.deliver(q)
}

// deliver hands out what waits, as far as there is somebody to take it.
func (b *Broker) deliver(q *queue) {
	for len(q.waiting) > 0 {
		c := q.nextConsumer()
		if c == nil {
			return
		}
		m := q.waiting[0]
		q.waiting = q.waiting[1:]
		c.delivered++
		if c.acks {
			c.unsettled = append(c.unsettled, delivery{c.delivered, m})
		} else {
			b.kept -= m.size()
		}
		c.sink.Deliver(&event.Event{Kind: event.Message, MessageID: strconv.Itoa(m.number), Frame: m.prepared})
	}
}
