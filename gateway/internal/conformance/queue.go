package conformance

import (
	"cmp"
	"slices"
)

// queue is the messages that wait for a subscription, and the subscriptions that take them in turn.
type queue struct {
	waiting   []*message // in the order they were published
	consumers []*consumer
	turn      int // of consumers: who is asked first
}

// nextConsumer returns whose turn it is to take a message, or nil.
func (q *queue) nextConsumer() *consumer {
	for i := range q.consumers {
		at := (q.turn + i) % len(q.consumers)
		if q.consumers[at].hasRoom() {
			q.turn = at + 1
			return q.consumers[at]
		}
	}
	return nil
}

func (q *queue) remove(c *consumer) {
	q.consumers = slices.DeleteFunc(q.consumers, func(other *consumer) bool { return other == c })
}

// takeBack puts messages back where they were in the queue.
func (q *queue) takeBack(refused []delivery) {
	for _, d := range refused {
		q.waiting = append(q.waiting, d.message.again())
	}
	slices.SortStableFunc(q.waiting, func(a, b *message) int { return cmp.Compare(a.number, b.number) })
}
