package presence_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/presence"
)

// Who asks while a look-up is under way gets the next one: what it reads may have changed before she joined the room.
func TestLookUpIsNeverOlderThanTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			flights presence.Flights
			online  = "alice"
			reads   int
			gate    = make(chan struct{})
		)
		ask := func(context.Context, int64) (event.Online, error) {
			reads++
			answer := event.Online{Members: []event.OnlineMember{{User: online, Status: "online"}}}
			<-gate
			return answer, nil
		}
		first, before := flights.Join(1, ask)
		synctest.Wait() // it has read, and its answer is on the way
		online = "bob"
		second, after := flights.Join(1, ask)
		third, same := flights.Join(1, ask)
		close(gate)
		<-first
		<-second
		<-third
		if got := before().Members[0].User; got != "alice" {
			t.Errorf("the first look-up found %s, want alice", got)
		}
		for _, answer := range []func() event.Online{after, same} {
			if got := answer().Members[0].User; got != "bob" {
				t.Errorf("a look-up that began after bob had come found %s", got)
			}
		}
		<-time.After(time.Second) // nobody asks any more: the room is forgotten
		if reads != 2 {
			t.Errorf("%d reads for three callers, want 2", reads)
		}
	})
}

// Rooms do not wait for each other.
func TestLookUpsOfOtherRoomsGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var flights presence.Flights
		gate := make(chan struct{})
		slow, _ := flights.Join(1, func(context.Context, int64) (event.Online, error) {
			<-gate
			return event.Online{}, nil
		})
		quick, _ := flights.Join(2, func(context.Context, int64) (event.Online, error) { return event.Online{}, nil })
		<-quick
		select {
		case <-slow:
			t.Error("a look-up has landed before its answer came")
		default:
		}
		close(gate)
		<-slow
		<-time.After(time.Second)
	})
}
