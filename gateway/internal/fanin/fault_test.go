package fanin_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fanin"
)

func TestServerRestart(t *testing.T) {
	t.Parallel()
	s, url := startServer(t, -1)
	r := start(t, url, fanin.Options{Poll: 10 * time.Millisecond})
	r.add(t, event.Log{Room: 1})
	if err := r.Ready(t.Context()); err != nil {
		t.Errorf("Ready with NATS there = %v", err)
	}
	port := portOf(t, s)
	stopServer(s)
	eventually(t, "not ready without NATS", func() bool { return r.Ready(t.Context()) != nil })

	// While it is away: a poll, again and again, and new interests do not fail.
	r.hub.wantResync(t)
	r.hub.wantResync(t)
	r.add(t, event.Log{Room: 2})

	startServer(t, port)
	eventually(t, "ready again", func() bool { return r.Ready(t.Context()) == nil })
	eventually(t, "the publisher is back", func() bool { return r.publisher.IsConnected() })
	r.add(t, event.Log{Room: 3})
	for id := int64(1); id <= 3; id++ {
		r.publishEvent(t, id, 1)
		if d := r.hub.next(t); d.log.Room != id {
			t.Errorf("delivered %v, want room %d", d.log, id)
		}
	}
}

// The resyncs at the break and after the reconnect are not the poll's.
func TestReconnectResyncs(t *testing.T) {
	t.Parallel()
	s, url := startServer(t, -1)
	r := start(t, url, fanin.Options{Poll: time.Hour})
	r.add(t, event.Log{Room: 1})
	port := portOf(t, s)
	stopServer(s)
	r.hub.wantResync(t)
	startServer(t, port)
	r.hub.wantResync(t)
	eventually(t, "ready again", func() bool { return r.Ready(t.Context()) == nil && r.publisher.IsConnected() })
	r.add(t, event.Log{Room: 2}) // a round trip
	r.publishEvent(t, 1, 1)
	r.hub.next(t)
}

func TestStartsWithoutServer(t *testing.T) {
	t.Parallel()
	s, url := startServer(t, -1)
	port := portOf(t, s)
	stopServer(s)
	r := start(t, url, fanin.Options{Poll: time.Hour})
	r.add(t, event.Log{Room: 1})
	if r.Ready(t.Context()) == nil {
		t.Error("ready without NATS")
	}
	startServer(t, port)
	r.hub.wantResync(t)
	eventually(t, "ready", func() bool { return r.Ready(t.Context()) == nil && r.publisher.IsConnected() })
	r.add(t, event.Log{Room: 2}) // a round trip
	r.publishEvent(t, 1, 1)
	r.hub.next(t)
}

// A partition in which packets vanish (RELIABILITY row 5): noticed by pings, bridged by the poll.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	r := start(t, url, fanin.Options{Poll: 10 * time.Millisecond})
	r.add(t, event.Log{Room: 1})
	r.cut.Store(true)
	eventually(t, "not ready behind a black hole", func() bool { return r.Ready(t.Context()) != nil })
	r.hub.wantResync(t)
	r.hub.wantResync(t)
	r.cut.Store(false)
	eventually(t, "ready again", func() bool { return r.Ready(t.Context()) == nil })
	r.add(t, event.Log{Room: 2}) // a round trip
	r.publishEvent(t, 1, 1)
	if d := r.hub.next(t); d.log.Room != 1 {
		t.Errorf("delivered %v, want room 1", d.log)
	}
}

func TestClosedConnection(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	r := start(t, url, fanin.Options{})
	r.add(t, event.Log{Room: 1})
	r.conn.Close()
	if err := r.Add(t.Context(), event.Log{Room: 2}); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("Add on a closed connection = %v, want %v", err, nats.ErrConnectionClosed)
	}
	r.Remove(event.Log{Room: 1})
}

// A hub that does not keep up: NATS drops, and the hub is told, at once and when the lane is empty again.
func TestOverflowResyncs(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	r := startWith(t, url, fanin.Options{Lanes: 1, Queue: 8}, newBlockedRecorder())
	r.add(t, event.Log{Room: 1})
	const sent = 100
	for seq := int64(1); seq <= sent; seq++ {
		r.publishEvent(t, 1, seq)
	}
	r.add(t, event.Log{Room: 2}) // a round trip: all that was sent has been received, or dropped
	r.hub.release()
	r.hub.wantResync(t)
	r.hub.wantResync(t)
	got := len(r.hub.deliveries)
	if got == 0 || got >= sent {
		t.Errorf("%d of %d delivered: the lane did not overflow", got, sent)
	}
	for len(r.hub.deliveries) > 0 {
		<-r.hub.deliveries
	}
	r.publishEvent(t, 2, 1)
	if d := r.hub.next(t); d.log.Room != 2 {
		t.Errorf("delivered %v, want room 2", d.log)
	}
}

func TestRunEndsItsGoroutines(t *testing.T) {
	t.Parallel()
	s, url := startServer(t, -1)
	conn := dial(t, url)
	defer conn.Close()
	f := fanin.New(conn, fanin.Options{})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx, newRecorder()) }()
	eventually(t, "the digest is subscribed", func() bool { return s.NumSubscriptions() > 0 })
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
	eventually(t, "the digest is left", func() bool { return conn.NumSubscriptions() == 0 })
}
