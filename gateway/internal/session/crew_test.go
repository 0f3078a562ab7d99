package session_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// crowded runs a test against many sessions of a factory on one room, whose connections wait by themselves.
func crowded(t *testing.T, sessions int, test func(hub *fake.Hub, conns []*fake.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hub := &fake.Hub{}
		factory := session.New(session.DefaultConfig(), session.Deps{
			Hub: hub, Relay: &fake.Relay{}, Presence: &fake.Presence{}, Auth: fake.Authenticator{},
		})
		conns := make([]*fake.Conn, sessions)
		var running sync.WaitGroup
		for i := range conns {
			conn := fake.NewConn()
			conns[i] = conn
			running.Go(func() {
				factory.Serve(context.Background(), &fake.Waiting{Conn: conn}, principal.Principal{User: "alice"}, nil)
			})
			conn.Send([]byte("CONNECT\naccept-version:1.2\n\n\x00SUBSCRIBE\nid:1\ndestination:/topic/chat/1\n\n\x00"))
		}
		synctest.Wait()
		for _, conn := range conns {
			conn.Take()
		}
		test(hub, conns)
		for _, conn := range conns {
			conn.HangUp(transport.CloseNormal)
		}
		running.Wait()
		<-time.After(time.Minute) // the crew goes home
		synctest.Wait()
	})
}

func say(hub *fake.Hub, seq int64) {
	e := event.New("/topic/chat/1", event.Message, seq, "m", []byte("{}"))
	hub.Deliver(event.Log{Room: 1}, &e)
}

// Clients that take nothing hold up nobody else, however many they are; and they get all in order once they read on.
func TestStalledClientsHoldUpNobody(t *testing.T) {
	t.Parallel()
	stalled := 3*runtime.GOMAXPROCS(0) + 1
	crowded(t, 2*stalled, func(hub *fake.Hub, conns []*fake.Conn) {
		for _, conn := range conns[:stalled] {
			conn.Stall()
		}
		for seq := range int64(5) {
			say(hub, seq+1)
			synctest.Wait()
			for i, conn := range conns[stalled:] {
				if got := conn.Take(); len(got) != 1 {
					t.Fatalf("client %d got %d messages of one while others are stalled", i, len(got))
				}
			}
		}
		for _, conn := range conns[:stalled] {
			conn.Resume()
		}
		synctest.Wait()
		for i, conn := range conns[:stalled] {
			got := conn.Take()
			if len(got) != 5 || !strings.Contains(string(got[4]), "\nseq:5\n") {
				t.Errorf("client %d, which was stalled, got %d messages, want 5 in order", i, len(got))
			}
		}
	})
}

// What is said to many at once is written by as many goroutines as there are processors, not by one for each.
func TestCrewIsSmall(t *testing.T) { //nolint:paralleltest // it counts goroutines
	crowded(t, 300, func(hub *fake.Hub, conns []*fake.Conn) {
		before := runtime.NumGoroutine()
		for seq := range int64(20) {
			say(hub, seq+1)
			if more := runtime.NumGoroutine() - before; more > runtime.GOMAXPROCS(0) {
				t.Fatalf("%d goroutines write for 300 sessions", more)
			}
		}
		synctest.Wait()
		for i, conn := range conns {
			if n := len(conn.Take()); n != 20 {
				t.Errorf("client %d got %d messages, want 20", i, n)
			}
		}
	})
}
