package publish_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/publish"
)

const often = 20 * time.Millisecond

func TestDigestNamesEachHeadSeveralTimes(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	r := newRig(t, broker.url(), publish.Options{Interval: often, Repeats: 3}).run(t)
	r.publisher.Publish([]chat.Event{message(42, 7, "a"), notification("bob", 3), message(42, 8, "b")}, nil)
	for range 3 {
		got := map[string]int64{}
		for _, head := range ear.heads() {
			got[head.GetLog().String()] = head.GetSeq()
			switch {
			case head.GetLog().GetChatRoomId() == 42 && head.GetSeq() == 8:
			case head.GetLog().GetUserId() == "bob" && head.GetSeq() == 3:
			default:
				t.Errorf("digest names %v", head)
			}
		}
		if len(got) != 2 {
			t.Errorf("digest names %v, want two logs", got)
		}
	}
	// A digest whose confirmation is late is repeated; but soon the next change is named alone.
	for digests := 0; ; digests++ {
		r.publisher.Publish([]chat.Event{message(43, int64(digests+1), "c")}, nil)
		if heads := ear.heads(); len(heads) == 1 && heads[0].GetLog().GetChatRoomId() == 43 {
			return
		} else if digests == 200 {
			t.Fatalf("after %d digests more %v is named, want room 43 alone", digests, heads)
		}
	}
}

func TestDigestLeavesStateOut(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	r := newRig(t, broker.url(), publish.Options{Interval: often}).run(t)
	typing := chat.Event{Log: chat.LogRef{Room: 41}, Kind: chat.KindTyping, MessageID: "x", UserID: "bob"}
	r.publisher.Publish([]chat.Event{typing, message(42, 1, "a")}, nil)
	if heads := ear.heads(); len(heads) != 1 || heads[0].GetLog().GetChatRoomId() != 42 {
		t.Errorf("digest names %v, want room 42 alone", heads)
	}
}

func TestLargeDigestIsSplit(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	r := newRig(t, broker.url(), publish.Options{Interval: often, Repeats: 1})
	var events []chat.Event
	for room := range int64(2_500) {
		events = append(events, message(room+1, 1, "a"))
	}
	r.publisher.Publish(events, nil)
	r.run(t)
	named := map[int64]bool{}
	for len(named) < 2_500 {
		heads := ear.heads()
		if len(heads) > 1_000 {
			t.Fatalf("a digest names %d logs", len(heads))
		}
		for _, head := range heads {
			named[head.GetLog().GetChatRoomId()] = true
		}
	}
}

func TestDigestAfterReconnectNamesWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	// Named so often that the plain client, which reconnects in its own time, hears it.
	r := newRig(t, broker.url(), publish.Options{Interval: often, Repeats: 1_000}).run(t)

	broker.stop()
	eventually(t, "the publisher sees that NATS is away", func() bool {
		return testutil.ToFloat64(r.metrics.Connected) == 0
	})
	for room := range int64(50) {
		r.publisher.Publish([]chat.Event{message(room+100, 5, "while away")}, nil)
	}
	eventually(t, "the events are counted as dropped", func() bool {
		return testutil.ToFloat64(r.metrics.Dropped.WithLabelValues("disconnected")) == 50
	})
	broker.start()

	ear := listen(t, broker.url())
	named := map[int64]int64{}
	for len(named) < 50 {
		for _, head := range ear.heads() {
			named[head.GetLog().GetChatRoomId()] = head.GetSeq()
		}
	}
	for room := range int64(50) {
		if named[room+100] != 5 {
			t.Errorf("room %d is named with seq %d, want 5", room+100, named[room+100])
		}
	}
	eventually(t, "the gauge says that NATS is back", func() bool { return testutil.ToFloat64(r.metrics.Connected) == 1 })
}

func TestHeadsAreBoundedWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	broker.stop()
	r := newRig(t, broker.url(), publish.Options{Interval: often, MaxHeads: 10}).run(t)
	for room := range int64(15) {
		r.publisher.Publish([]chat.Event{message(room+1, 1, "a")}, nil)
	}
	r.publisher.Publish([]chat.Event{message(1, 2, "a known log always has room")}, nil)
	if got := testutil.ToFloat64(r.metrics.Dropped.WithLabelValues("heads_full")); got != 5 {
		t.Errorf("%v heads forgotten, want 5", got)
	}
}
