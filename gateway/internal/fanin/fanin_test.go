package fanin_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fanin"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/stomp"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

// Events other than messages.
var (
	removal = &chatv1.Event{
		Seq: 8, Kind: chatv1.EventKind_EVENT_KIND_MEMBER, UserId: "bob", MessageId: "42-8",
		MemberChange: chatv1.MemberChange_MEMBER_CHANGE_REMOVED, Json: []byte(`{"event":"MEMBER"}`),
	}
	notification = &chatv1.Event{
		Seq: 3, Kind: chatv1.EventKind_EVENT_KIND_NOTIFICATION, UserId: "bob", MessageId: "7-3", Json: []byte(`{}`),
	}
	typing = &chatv1.Event{
		Kind: chatv1.EventKind_EVENT_KIND_TYPING, UserId: "bob", MessageId: "42-t1", Json: []byte(`{}`),
	}
	newer = &chatv1.Event{Seq: 10, Kind: 99, UserId: "bob", MessageId: "42-10", Json: []byte(`{"event":"POLL"}`)}
)

func TestDelivers(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	r := start(t, url, fanin.Options{})
	room, inbox := event.Log{Room: 42}, event.Log{User: "ali ce.*>"}
	r.add(t, room)
	r.add(t, inbox)

	for _, c := range []struct {
		name     string
		subject  string
		envelope *chatv1.Envelope
		log      event.Log
		copyTo   string
		seqs     []int64
		kind     event.Kind
		header   string // part of the first frame
		ends     bool
	}{
		{
			name: "events of a room", subject: subject.Room(42),
			envelope: envelope(roomRef(42), message(42, 7), message(42, 9)),
			log:      room, seqs: []int64{7, 9}, kind: event.Message, header: "\ndestination:/topic/chat/42\n",
		},
		{
			name: "the end of a membership", subject: subject.Room(42), envelope: envelope(roomRef(42), removal),
			log: room, seqs: []int64{8}, kind: event.Member, header: "\nevent:MEMBER\n", ends: true,
		},
		{
			name: "state of a room", subject: subject.Room(42), envelope: envelope(roomRef(42), typing),
			log: room, seqs: []int64{0}, kind: "TYPING", header: "\nmessage-id:42-t1\n",
		},
		{
			name: "a kind that is newer than this gateway", subject: subject.Room(42),
			envelope: envelope(roomRef(42), newer),
			log:      room, seqs: []int64{10}, kind: "POLL", header: "\nevent:POLL\n",
		},
		{
			name: "events of an inbox", subject: subject.User(inbox.User),
			envelope: envelope(userRef(inbox.User), notification),
			log:      inbox, seqs: []int64{3}, kind: "NOTIFICATION", header: "\ndestination:/user/queue/messages\n",
		},
		{
			name: "a live copy", subject: subject.User(inbox.User), envelope: envelope(roomRef(5), message(5, 1)),
			log: event.Log{Room: 5}, copyTo: inbox.User, seqs: []int64{1}, kind: event.Message,
			header: "\ndestination:/user/queue/messages\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.publish(t, c.subject, c.envelope)
			d := r.hub.next(t)
			if d.log != c.log || d.copyTo != c.copyTo {
				t.Errorf("delivered to %v, copy to %q, want %v, %q", d.log, d.copyTo, c.log, c.copyTo)
			}
			var seqs []int64
			for _, e := range d.events {
				seqs = append(seqs, e.Seq)
			}
			if fmt.Sprint(seqs) != fmt.Sprint(c.seqs) {
				t.Fatalf("seqs %v, want %v", seqs, c.seqs)
			}
			first := d.events[0]
			if first.Kind != c.kind || first.Ends != c.ends || first.User != "bob" {
				t.Errorf("kind %s, ends %t, user %s, want %s, %t, bob", first.Kind, first.Ends, first.User, c.kind, c.ends)
			}
			if frame := string(first.Frame.AppendTo(nil, stomp.V12, "sub-0", "")); !strings.Contains(frame, c.header) {
				t.Errorf("frame %q has no %q", frame, c.header)
			}
		})
	}
}

// A live copy that nobody here needs is not delivered, and the hub knows up to where it went.
func TestCoveredCopiesAreNotDelivered(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	r := start(t, url, fanin.Options{})
	inbox := event.Log{User: "alice"}
	r.add(t, inbox)
	r.hub.covered.Store(true)
	r.publish(t, subject.User("alice"), envelope(roomRef(5), message(5, 7), message(5, 9)))
	r.publish(t, subject.User("alice"), envelope(userRef("alice"), notification))
	if d := r.hub.next(t); d.log != inbox {
		t.Errorf("%v is delivered, want what is in the inbox alone", d.log)
	}
	if passed := r.hub.passed.Load(); passed != 9 {
		t.Errorf("passed up to %d, want 9", passed)
	}
}

func TestDeliversHeads(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	r := start(t, url, fanin.Options{})
	r.publish(t, subject.Heads, &chatv1.Heads{Heads: []*chatv1.LogHead{
		{Log: roomRef(42), Seq: 9}, {Log: userRef("bob"), Seq: 2},
	}})
	want := []event.Head{{Log: event.Log{Room: 42}, Seq: 9}, {Log: event.Log{User: "bob"}, Seq: 2}}
	if got := r.hub.next(t).heads; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("heads %v, want %v", got, want)
	}
}

// A poison message is counted and dropped, and the good one after it arrives (RELIABILITY row 24).
func TestPoisonIsCountedAndDropped(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	m := metrics.New(prometheus.NewRegistry())
	r := start(t, url, fanin.Options{Metrics: m})
	r.add(t, event.Log{Room: 1})
	r.add(t, event.Log{User: "alice"})

	noID, badID, noJSON, noKind, negative := message(1, 1), message(1, 1), message(1, 1), message(1, 1), message(1, -1)
	noID.MessageId, badID.MessageId, noJSON.Json = "", "1\n\n", nil
	noKind.Kind, noKind.Json = 0, []byte(`{`)
	bad := []struct {
		name    string
		subject string
		poison  *chatv1.Envelope
	}{
		{"no log", subject.Room(1), envelope(nil, message(1, 1))},
		{"another room's log", subject.Room(1), envelope(roomRef(2), message(2, 1))},
		{"a user's log on a room's subject", subject.Room(1), envelope(userRef("alice"), message(1, 1))},
		{"another user's log", subject.User("alice"), envelope(userRef("bob"), message(1, 1))},
		{"a negative room", subject.User("alice"), envelope(roomRef(-1), message(1, 1))},
		{"no events", subject.Room(1), envelope(roomRef(1))},
		{"the same seq twice", subject.Room(1), envelope(roomRef(1), message(1, 1), message(1, 1))},
		{"a negative seq", subject.Room(1), envelope(roomRef(1), negative)},
		{"no message id", subject.Room(1), envelope(roomRef(1), noID)},
		{"a message id with line ends", subject.Room(1), envelope(roomRef(1), badID)},
		{"no JSON", subject.Room(1), envelope(roomRef(1), noJSON)},
		{"no kind", subject.Room(1), envelope(roomRef(1), noKind)},
	}
	for _, c := range bad {
		r.publish(t, c.subject, c.poison)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	const garbage = 200
	for range garbage {
		data := make([]byte, 1+rng.IntN(100))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		data[0] = 0x07 // a wire type that does not exist, so that none is good by accident
		r.publishBytes(t, subject.Room(1), data)
		r.publishBytes(t, subject.Heads, data)
	}
	r.publishEvent(t, 1, 5)
	r.publish(t, subject.User("alice"), envelope(userRef("alice"), message(1, 5)))
	for range 2 {
		if d := r.hub.next(t); d.events[0].Seq != 5 {
			t.Errorf("delivered %v %+v, want only the good events", d.log, d.events)
		}
	}
	want := float64(len(bad) + 2*garbage)
	eventually(t, "all bad messages are counted", func() bool { return testutil.ToFloat64(m.FaninBad) >= want })
	if got := testutil.ToFloat64(m.FaninBad); got != want {
		t.Errorf("%v bad messages counted, want %v", got, want)
	}
	select {
	case d := <-r.hub.deliveries:
		t.Errorf("delivered %v %+v of a poison message", d.log, d.events)
	default:
	}
}

func TestInterest(t *testing.T) {
	t.Parallel()
	s, url := startServer(t, -1)
	r := start(t, url, fanin.Options{})
	room := event.Log{Room: 1}

	t.Run("is live when Add returns", func(t *testing.T) {
		for id := int64(100); id < 300; id++ {
			r.add(t, event.Log{Room: id})
			r.publishEvent(t, id, 1)
			if d := r.hub.next(t); d.log.Room != id {
				t.Fatalf("delivered %v, want room %d", d.log, id)
			}
		}
	})
	t.Run("added twice delivers once", func(t *testing.T) {
		r.add(t, room)
		r.add(t, room)
		r.publishEvent(t, 1, 1)
		r.publishEvent(t, 1, 2)
		for want := int64(1); want <= 2; want++ {
			if got := r.hub.next(t).events[0].Seq; got != want {
				t.Fatalf("seq %d, want %d", got, want)
			}
		}
	})
	t.Run("ends with Remove, at the server too", func(t *testing.T) {
		before := s.NumSubscriptions()
		r.Remove(room)
		r.Remove(room)
		eventually(t, "the server has a subscription less", func() bool { return s.NumSubscriptions() == before-1 })
		r.add(t, event.Log{Room: 2})
		r.publishEvent(t, 1, 3)
		r.publishEvent(t, 2, 1)
		if d := r.hub.next(t); d.log.Room != 2 {
			t.Errorf("delivered %v after Remove", d.log)
		}
	})
	t.Run("is not taken when the wait for it ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		before := s.NumSubscriptions()
		if err := r.Add(ctx, event.Log{Room: 3}); !errors.Is(err, context.Canceled) {
			t.Errorf("Add = %v, want context.Canceled", err)
		}
		r.add(t, event.Log{Room: 4}) // a round trip
		eventually(t, "one interest more", func() bool { return s.NumSubscriptions() == before+1 })
	})
}

// Many interests at once share round trips, and none has a goroutine of its own.
func TestManyInterests(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	r := start(t, url, fanin.Options{})
	r.add(t, event.Log{Room: 1})
	before, trips := runtime.NumGoroutine(), r.trips.Load()
	const many = 2000
	var adds sync.WaitGroup
	for id := int64(2); id <= many; id++ {
		adds.Go(func() { r.add(t, event.Log{Room: id}) })
	}
	adds.Wait()
	if grown := runtime.NumGoroutine() - before; grown > many/10 {
		t.Errorf("%d goroutines more for %d interests", grown, many)
	}
	if took := r.trips.Load() - trips; took == 0 || took > many/4 {
		t.Errorf("%d interests took %d round trips, want a few, shared", many, took)
	}
	for _, id := range []int64{1, 2, many / 2, many} {
		r.publishEvent(t, id, 1)
		if d := r.hub.next(t); d.log.Room != id {
			t.Errorf("delivered %v, want room %d", d.log, id)
		}
	}
}

func TestOrderOfALog(t *testing.T) {
	t.Parallel()
	_, url := startServer(t, -1)
	r := start(t, url, fanin.Options{})
	const rooms, each = 20, 200
	for id := int64(1); id <= rooms; id++ {
		r.add(t, event.Log{Room: id})
	}
	for seq := int64(1); seq <= each; seq++ {
		for id := int64(1); id <= rooms; id++ {
			r.publishEvent(t, id, seq)
		}
	}
	last := make(map[int64]int64)
	for range rooms * each {
		d := r.hub.next(t)
		if d.events[0].Seq != last[d.log.Room]+1 {
			t.Fatalf("room %d: seq %d after %d", d.log.Room, d.events[0].Seq, last[d.log.Room])
		}
		last[d.log.Room]++
	}
}
