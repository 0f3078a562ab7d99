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
	crowdedOn(t, sessions, 0, func(hub *fake.Hub, _ *fake.Relay, conns []*fake.Conn) { test(hub, conns) })
}

// delaying is a connection on which each write takes time, of this node and not of the client.
type delaying struct {
	*fake.Waiting
	takes time.Duration
}

func (s delaying) WriteYielding(messages [][]byte, waits func()) error {
	<-time.After(s.takes)
	return s.Waiting.WriteYielding(messages, waits)
}

// crowdedOn is crowded on a node on which each write takes so long.
func crowdedOn(
	t *testing.T, sessions int, takes time.Duration, test func(*fake.Hub, *fake.Relay, []*fake.Conn),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hub, relay := &fake.Hub{}, &fake.Relay{}
		factory := session.New(session.DefaultConfig(), session.Deps{
			Hub: hub, Relay: relay, Presence: &fake.Presence{}, Auth: fake.Authenticator{},
		})
		conns := make([]*fake.Conn, sessions)
		var running sync.WaitGroup
		for i := range conns {
			conn := fake.NewConn()
			conns[i] = conn
			running.Go(func() {
				factory.Serve(context.Background(), delaying{&fake.Waiting{Conn: conn}, takes}, principal.Principal{User: "alice"}, nil)
			})
			conn.Send([]byte("CONNECT\naccept-version:1.2\n\n\x00SUBSCRIBE\nid:1\ndestination:/topic/chat/1\n\n\x00"))
		}
		<-time.After(time.Duration(sessions) * takes)
		synctest.Wait()
		for _, conn := range conns {
			conn.Take()
		}
		test(hub, relay, conns)
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

// While this node is behind with delivering, a SEND waits: until it is not any more, or for so long and no longer.
func TestSendersAreHeldBack(t *testing.T) {
	t.Parallel()
	const takes = 4 * time.Millisecond
	perSecond := min(4, runtime.GOMAXPROCS(0)) * int(time.Second/takes) // writes of a crew
	for _, tc := range []struct {
		name     string
		backlog  time.Duration
		from, to time.Duration // between which the SEND is taken
	}{
		{"hardly behind", 20 * time.Millisecond, 0, 0},
		{"behind for a moment", 200 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond},
		{"behind for long", 5 * time.Second, 490 * time.Millisecond, 510 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			crews := (runtime.GOMAXPROCS(0) + 3) / 4
			sessions := int(tc.backlog.Seconds() * float64(perSecond*crews))
			crowdedOn(t, sessions, takes, func(hub *fake.Hub, relay *fake.Relay, conns []*fake.Conn) {
				say(hub, 1)
				<-time.After(30 * time.Millisecond)
				began := time.Now()
				conns[0].Send([]byte("SEND\ndestination:/app/chat/1/send\n\n{}\x00"))
				synctest.Wait()
				for len(relay.Submitted()) == 0 {
					<-time.After(time.Millisecond)
					synctest.Wait()
					if time.Since(began) > time.Minute {
						t.Fatal("the SEND was never taken")
					}
				}
				if took := time.Since(began); took < tc.from || took > tc.to {
					t.Errorf("the SEND was taken after %s, want %s to %s", took, tc.from, tc.to)
				}
				<-time.After(tc.backlog + time.Second)
			})
		})
	}
}
