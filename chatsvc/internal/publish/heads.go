package publish

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

// maxHeadsMessage is how many heads one NATS message names: at most about 150 KiB.
const maxHeadsMessage = 1_000

// heads remembers which logs have changed and are still to be named in digests, and which have been named lately:
// the store tells of the same change several times.
type heads struct {
	repeats, limit int

	mu               sync.Mutex
	left             map[chat.LogRef]naming
	told, toldBefore map[chat.LogRef]int64 // seq with which a log was named often enough
}

// naming is a log's newest seq and how many confirmed digests are still to name it.
type naming struct {
	seq  int64
	left int
}

func newHeads(repeats, limit int) *heads {
	return &heads{
		repeats: repeats, limit: limit,
		left: make(map[chat.LogRef]naming), told: make(map[chat.LogRef]int64),
	}
}

// changed takes note of new events; state events change no log. It returns how many changes found no room: only
// while NATS is away for very long can there be any.
func (h *heads) changed(events []chat.Event) (forgotten int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range events {
		e := &events[i]
		if e.Seq == 0 {
			continue
		}
		if !h.name(chat.Head{Log: e.Log, Seq: e.Seq}) {
			forgotten++
		}
	}
	return forgotten
}

// name has a changed log named in the next digests; false when there is no room.
func (h *heads) name(head chat.Head) bool {
	old, known := h.left[head.Log]
	if !known && len(h.left) >= h.limit {
		return false
	}
	h.left[head.Log] = naming{seq: max(head.Seq, old.seq), left: h.repeats}
	return true
}

// seen takes note of what the store says. It returns how many heads are news, and how many of these found no room.
func (h *heads) seen(all []chat.Head) (found, forgotten int) {
	for some := range slices.Chunk(all, maxHeadsMessage) { // in between, others have their turn
		news, lost := h.seenSome(some)
		found, forgotten = found+news, forgotten+lost
	}
	return found, forgotten
}

func (h *heads) seenSome(some []chat.Head) (found, forgotten int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, head := range some {
		switch {
		case h.left[head.Log].seq >= head.Seq || h.told[head.Log] >= head.Seq:
		case h.toldBefore[head.Log] >= head.Seq:
			h.told[head.Log] = h.toldBefore[head.Log] // the store still tells of it
		case h.name(head):
			found++
		default:
			forgotten++
		}
	}
	return found, forgotten
}

// forget drops what was named and is old: what has not been touched between two calls.
func (h *heads) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told, h.toldBefore = make(map[chat.LogRef]int64), h.told
}

// list returns all logs that are to be named now.
func (h *heads) list() []chat.Head {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]chat.Head, 0, len(h.left))
	for log, n := range h.left {
		list = append(list, chat.Head{Log: log, Seq: n.seq})
	}
	return list
}

// confirm takes note that a digest with these heads was taken in. Logs that changed since stay as they are.
func (h *heads) confirm(named []chat.Head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, head := range named {
		n := h.left[head.Log]
		switch {
		case n.seq != head.Seq:
		case n.left <= 1:
			delete(h.left, head.Log)
			h.told[head.Log] = head.Seq
		default:
			n.left--
			h.left[head.Log] = n
		}
	}
}

func (p *Publisher) runDigests(ctx context.Context) {
	tick, forget := time.NewTicker(p.opts.Interval), time.NewTicker(p.opts.Window)
	defer tick.Stop()
	defer forget.Stop()
	for {
		select {
		case <-tick.C:
			p.digest(p.opts.Interval)
		case <-p.found:
			p.digest(p.opts.Interval)
		case <-forget.C:
			p.heads.forget()
		case <-ctx.Done():
			return
		}
	}
}

// digest names what is to be named, and takes it as done only when the server has answered behind it.
func (p *Publisher) digest(patience time.Duration) {
	list := p.heads.list()
	p.opts.Metrics.HeadsTracked.Set(float64(len(list)))
	if len(list) == 0 || !p.conn.IsConnected() {
		return
	}
	if p.sendHeads(list) && p.conn.FlushTimeout(patience) == nil {
		p.heads.confirm(list)
	}
}

func (p *Publisher) sendHeads(list []chat.Head) bool {
	for start := 0; start < len(list); start += maxHeadsMessage {
		part := list[start:min(start+maxHeadsMessage, len(list))]
		digest := &chatv1.Heads{Heads: make([]*chatv1.LogHead, len(part))}
		for i, head := range part {
			digest.Heads[i] = &chatv1.LogHead{Log: wire.Log(head.Log), Seq: head.Seq}
		}
		data, err := proto.Marshal(digest)
		if err != nil {
			p.opts.Metrics.Dropped.WithLabelValues("encode").Inc()
			return false
		}
		if err := p.conn.Publish(subject.Heads, data); err != nil {
			p.opts.Metrics.Dropped.WithLabelValues(reasonOf(err)).Inc()
			return false
		}
		p.opts.Metrics.Sent.WithLabelValues("heads").Inc()
	}
	return true
}
