package e2e_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/deploy/stompwire"
)

// RELIABILITY row 32: whoever sends as fast as it goes through two gateways gets the configured rate over both, give or take
// a fifth: a user with a session on each, and a room with a member on each.
func TestThreat32SharedOverGateways(t *testing.T) {
	t.Parallel()
	const rate = 20 // a second; what is slow enough for any machine
	s := stages[1]  // with a Redis server
	gateways := s.gateways(t, "FLILIY_GATEWAY_RATE_OFF=false", "FLILIY_GATEWAY_RATE_SESSION_SEND=0", "FLILIY_GATEWAY_RATE_STRIKES=0",
		"FLILIY_GATEWAY_RATE_USER_SEND=20/40", "FLILIY_GATEWAY_RATE_ROOM_SEND=20/40")
	p := s.people(t, "alice", "bob", "carol")
	alice, bob, carol := p[0], p[1], p[2]
	for name, c := range map[string]struct {
		who   [2]person
		rooms [2]string
	}{
		"a user": {[2]person{alice, alice}, [2]string{s.room(t, alice, bob), s.room(t, alice, bob)}},
		"a room": {[2]person{bob, carol}, [2]string{1: s.room(t, bob, carol)}},
	} {
		if c.rooms[0] == "" {
			c.rooms[0] = c.rooms[1]
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			var stored atomic.Int64
			var senders sync.WaitGroup
			for i, g := range gateways {
				w := login(t, g.wsURL(), c.who[i])
				w.subscribe("errors", "/user/queue/errors")
				w.ctx = t.Context() // for longer than one answer takes
				senders.Go(func() { w.flood(ctx, c.rooms[i], &stored) })
			}
			// Bursts pass first, and gateways tell each other once a second: what matters is what comes then.
			<-time.After(4 * time.Second)
			began, before := time.Now(), stored.Load()
			<-time.After(20 * time.Second)
			passed, took := float64(stored.Load()-before), time.Since(began).Seconds()
			stop()
			senders.Wait()
			got := passed / took
			t.Logf("%.1f a second over two gateways for %.1f s, configured are %d", got, took, rate)
			if got < 0.8*rate || got > 1.2*rate {
				t.Errorf("%.1f a second over two gateways, want %d, give or take a fifth", got, rate)
			}
		})
	}
}

// flood sends messages to a room until ctx ends, the next as soon as the last is answered, and counts what is stored. After
// a refusal it waits a moment, far less than it is told to.
func (w *wire) flood(ctx context.Context, room string, stored *atomic.Int64) {
	send := []byte("SEND\ndestination:/app/chat/" + room + "/send\ncontent-type:text/plain\nreceipt:r\n\nme again\x00")
	for ctx.Err() == nil {
		if err := w.socket.Write(w.ctx, websocket.MessageText, send); err != nil {
			w.t.Errorf("send: %v", err)
			return
		}
		got, code, err := stompwire.Next(w.ctx, w.socket)
		switch {
		case err != nil || got == nil:
			w.t.Errorf("closed with %d, error %v; want an answer", code, err)
			return
		case got.Command == "RECEIPT":
			stored.Add(1)
		default: // ERROR on the errors queue
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}
