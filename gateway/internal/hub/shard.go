package hub

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// shardCount is a power of two: enough that messages of different rooms seldom meet at one lock.
const shardCount = 64

var seed = maphash.MakeSeed()

// shard is a part of the hub's logs, by hash.
type shard struct {
	mu     sync.RWMutex
	tracks map[event.Log]*track
	_      [32]byte // keeps neighbours off one cache line
}

func (h *Hub) initShards() {
	for i := range h.shards {
		h.shards[i].tracks = make(map[event.Log]*track)
	}
}

func (h *Hub) shard(log event.Log) *shard {
	return &h.shards[maphash.Comparable(seed, log)%shardCount]
}

// lookup returns the log's track, or nil when nobody on this node follows it.
func (h *Hub) lookup(log event.Log) *track {
	s := h.shard(log)
	s.mu.RLock()
	t := s.tracks[log]
	s.mu.RUnlock()
	return t
}

// acquire returns the log's track, made if need be, with one reference more. A track whose interest is just being
// given up is waited for, so that the removal of the old interest cannot hit a new one.
func (h *Hub) acquire(ctx context.Context, log event.Log) (*track, error) {
	s := h.shard(log)
	for {
		s.mu.Lock()
		t := s.tracks[log]
		if t == nil {
			t = newTrack(log, &h.held)
			s.tracks[log] = t
		}
		leaving := t.leaving
		if leaving == nil {
			t.refs++
			s.mu.Unlock()
			return t, nil
		}
		s.mu.Unlock()
		select {
		case <-leaving:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// retain takes one more reference to a track of which the caller holds one.
func (h *Hub) retain(t *track) {
	s := h.shard(t.log)
	s.mu.Lock()
	t.refs++
	s.mu.Unlock()
}

// release gives a reference back. After the last one the track, and the interest, goes when nobody has come for as
// long as linger. It may be called under the track's lock.
func (h *Hub) release(t *track, linger time.Duration) {
	s := h.shard(t.log)
	s.mu.Lock()
	t.refs--
	last := t.refs == 0
	s.mu.Unlock()
	if last {
		time.AfterFunc(max(linger, 0), func() { h.retire(t) })
	}
}

// retire forgets a track that nobody has a reference to. The port is called without a lock.
func (h *Hub) retire(t *track) {
	s := h.shard(t.log)
	s.mu.Lock()
	if t.refs > 0 || t.leaving != nil {
		s.mu.Unlock()
		return
	}
	t.leaving = make(chan struct{})
	s.mu.Unlock()

	if h.abandon(t) {
		h.interest.Remove(t.log)
	}

	s.mu.Lock()
	delete(s.tracks, t.log)
	s.mu.Unlock()
	close(t.leaving)
}

// followed returns all logs that somebody on this node follows.
func (h *Hub) followed() []event.Log {
	var logs []event.Log
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.RLock()
		for log, t := range s.tracks {
			if t.refs > 0 {
				logs = append(logs, log)
			}
		}
		s.mu.RUnlock()
	}
	return logs
}
