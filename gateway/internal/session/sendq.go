package session

import (
	"context"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
)

const (
	batchBytes = 64 << 10 // about how much goes to the transport in one call
	itemCost   = 64       // what an item costs in memory, besides the bytes it stands for
	keptItems  = 4096     // a larger list of items is not used again
)

// sendQueue holds what waits for the client, in order. MESSAGE frames wait as a reference to the event's frame, which
// all sessions share, and are completed only when they are written. Everything here is guarded by session.mu.
type sendQueue struct {
	waiting   *itemList // nil when empty
	bytes     int       // of waiting, and of what the writer has taken and not written yet
	replaying int       // MESSAGEs of replays among these; they cost no bytes
	writing   bool      // there is a writer, or will be soon
	soon      bool      // the crew will write in a moment; see session.enqueueSoon
	calledOff bool      // the writer is to drop what it has taken
	dead      bool      // a write failed: nothing can be written any more
}

// item is one transport message.
type item struct {
	frame *stomp.Prepared // a MESSAGE for sub; nil: raw
	sub   *subscription
	ack   place // for the ack header; zero for none
	raw   []byte
	cost  int
}

// itemList is pooled, so that delivering allocates nothing.
type itemList struct{ items []item }

var itemLists = sync.Pool{New: func() any { return new(itemList) }}

func (l *itemList) release() {
	if cap(l.items) > keptItems {
		return
	}
	clear(l.items)
	l.items = l.items[:0]
	itemLists.Put(l)
}

// batch is what one call of the transport is made of; pooled, like itemList.
type batch struct {
	bytes    []byte
	ends     []int // of the messages in bytes
	messages [][]byte
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func (b *batch) release() {
	if cap(b.bytes) <= 4*batchBytes && cap(b.messages) <= keptItems {
		clear(b.messages)
		batches.Put(b)
	}
}

// enqueue queues an item, never blocking. A client that is too slow for it loses its session: nothing is dropped
// silently. Call it under mu.
func (s *session) enqueue(it item) {
	if s.ending != nil {
		return
	}
	if s.out.bytes > 0 && s.out.bytes+it.cost > s.cfg.SendQueue {
		s.tooSlow("too much is waiting for this client; read faster, or subscribe to less")
		return
	}
	s.put(it)
	s.startWriter()
}

// enqueueSoon is enqueue for what something else will follow in a moment, so that both go out in one write: a write costs
// more than everything else about a message. What does not come by Config.Gather is not waited for. Call it under mu.
func (s *session) enqueueSoon(it item) {
	if s.out.writing || s.ending != nil || s.yielder == nil || s.cfg.Gather <= 0 {
		s.enqueue(it)
		return
	}
	s.put(it)
	s.out.writing, s.out.soon = true, true
	s.crew.writeSoon(s)
}

// writeNow is called when a moment is over; the queue may have been written meanwhile.
func (s *session) writeNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.soon {
		s.startWriter()
	}
}

// skips says whether an event is kept from a client that is falling behind. Once the queue is half full, state that is
// only true for a moment yields to what has to arrive; the client reads it anew when it subscribes. Call it under mu.
func (s *session) skips(e *event.Event) bool {
	if e.Seq > 0 || s.out.bytes <= s.cfg.SendQueue/2 || !e.Kind.IsState() {
		return false
	}
	if s.deps.Metrics != nil {
		s.deps.Metrics.StateDropped.Inc(string(e.Kind))
	}
	return true
}

// Await implements event.Sink: it waits until the replays of the session are written. The reader is in Subscribe
// meanwhile, so that nothing else is asked of this client.
func (sub *subscription) Await(ctx context.Context) {
	s := sub.session
	defer context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.out.replaying > 0 && s.isAlive() && ctx.Err() == nil {
		s.changed.Wait()
	}
}

// put is enqueue without limits, and without anybody to write.
func (s *session) put(it item) {
	if it.frame == nil {
		it.cost = len(it.raw) + itemCost
	}
	if s.out.waiting == nil {
		s.out.waiting = itemLists.Get().(*itemList)
	}
	s.out.waiting.items = append(s.out.waiting.items, it)
	s.out.bytes += it.cost
	if it.isReplay() {
		s.out.replaying++
	}
}

func (it *item) isReplay() bool { return it.frame != nil && it.cost == 0 }

// tooSlow ends the session of a client that does not keep up. Call it under mu.
func (s *session) tooSlow(detail string) {
	if s.ending != nil {
		return
	}
	s.countRefusal(event.SlowConsumer)
	if s.deps.Metrics != nil {
		s.deps.Metrics.SlowConsumers.Inc()
	}
	e := s.failing(&failure{
		code: event.SlowConsumer, close: transport.CloseTryLater, message: "slow consumer", detail: detail,
	})
	e.discard = true
	s.finish(e)
}

// discard drops what waits. What the writer has handed to the transport already cannot be called back.
func (q *sendQueue) discard() {
	if q.waiting != nil {
		q.waiting.release()
		q.waiting = nil
	}
	q.calledOff = q.writing
}

// startWriter makes sure that somebody drains the queue. Call it under mu.
func (s *session) startWriter() {
	if s.out.writing && !s.out.soon {
		return
	}
	s.out.writing, s.out.soon = true, false
	if s.yielder != nil {
		s.crew.write(s)
	} else {
		go s.write()
	}
}

// drainQueue is the writer of a session whose connection does not know when a write has to wait: it writes until the
// queue is empty, and is gone.
func (s *session) drainQueue() {
	b := batches.Get().(*batch)
	defer b.release()
	for s.drainSome(b, nil) { //nolint:revive // all is done by then
	}
}

// drainSome writes what waits, and says whether it has to be called again: there may be more. With nothing left it closes
// the connection if the session is to end, and the session has no writer any more.
func (s *session) drainSome(b *batch, m *member) (more bool) {
	list, end := s.nextItems()
	switch {
	case list != nil:
		s.writeItems(b, list.items, m)
		list.release()
		return s.hasMore()
	case end != nil:
		if m != nil {
			m.yield() // closing waits for the client
		}
		s.close(end)
		s.writerGone()
	}
	return false
}

// nextItems takes all that waits. With nothing left it returns how the session ends, or neither: then the writer does
// not count as one any more, and has to go.
func (s *session) nextItems() (*itemList, *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.out.waiting
	s.out.waiting = nil
	s.out.calledOff = false
	if list == nil && s.ending == nil {
		s.out.writing = false
	}
	return list, s.ending
}

// hasMore says whether the writer is still needed; if not, it does not count as one any more.
func (s *session) hasMore() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.waiting == nil && s.ending == nil {
		s.out.writing = false
	}
	return s.out.writing
}

func (s *session) writerGone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.writing = false
	s.changed.Broadcast()
}

// writeItems writes items in batches, unless they are called off.
func (s *session) writeItems(b *batch, items []item, m *member) {
	for len(items) > 0 && s.beforeWrite(m == nil) {
		n := b.compose(items)
		s.afterWrite(items[:n], s.writeBatch(b, m))
		s.countOut(items[:n], len(b.bytes))
		items = items[n:]
	}
}

func (s *session) writeBatch(b *batch, m *member) error {
	if m == nil {
		return s.conn.Write(s.base, b.messages)
	}
	return s.yielder.WriteYielding(b.messages, m.waits)
}

// beforeWrite says whether to write, and notes until when the client has to take something if it may be waited for.
func (s *session) beforeWrite(wait bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.dead || s.out.calledOff {
		return false
	}
	if wait {
		s.limitWait()
	}
	return true
}

// noteWait is called by a writer that now has to wait for the client.
func (s *session) noteWait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limitWait()
}

// limitWait limits the time that a write may take. Call it under mu.
func (s *session) limitWait() {
	s.clock.writtenBy = time.Now().Add(s.cfg.SendTimeout)
	s.rearm()
}

func (s *session) afterWrite(written []item, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock.writtenBy = time.Time{}
	s.clock.lastOut = time.Now()
	if err != nil {
		s.out.dead = true
		s.finish(&ending{code: transport.CloseGoingAway, discard: true})
		return
	}
	replayed := 0
	for i := range written {
		s.out.bytes -= written[i].cost
		if written[i].isReplay() {
			replayed++
		}
	}
	if replayed > 0 {
		s.out.replaying -= replayed
		s.changed.Broadcast()
	}
}

// compose fills the batch with the first items, about batchBytes of them, and returns how many these are.
func (b *batch) compose(items []item) int {
	b.bytes, b.ends = b.bytes[:0], b.ends[:0]
	for i := range items {
		if len(b.bytes) >= batchBytes {
			break
		}
		b.bytes = items[i].appendTo(b.bytes)
		b.ends = append(b.ends, len(b.bytes))
	}
	b.messages = b.messages[:0]
	start := 0
	for _, end := range b.ends {
		b.messages = append(b.messages, b.bytes[start:end:end])
		start = end
	}
	return len(b.ends)
}

func (it *item) appendTo(dst []byte) []byte {
	if it.frame == nil {
		return append(dst, it.raw...)
	}
	if it.ack == (place{}) {
		return it.frame.AppendTo(dst, it.sub.session.version, it.sub.header, "")
	}
	var ack [64]byte
	return it.frame.AppendTo(dst, it.sub.session.version, it.sub.header, string(appendAckID(ack[:0], it.sub.number, it.ack)))
}

// countOut counts what went to the transport.
func (s *session) countOut(written []item, bytes int) {
	if s.deps.Metrics == nil {
		return
	}
	messages := 0
	for i := range written {
		if written[i].frame != nil {
			messages++
		}
	}
	s.deps.Metrics.MessagesOut.Add(float64(messages))
	s.deps.Metrics.BytesOut.Add(float64(bytes))
}
