package publish_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/publish"
	"github.com/fliliy/chat/proto/subject"
)

var _ chat.Publisher = (*publish.Publisher)(nil)

func message(room, seq int64, content string) chat.Event {
	return chat.Event{
		Log: chat.LogRef{Room: room}, LogID: room, Seq: seq, Kind: chat.KindMessage, MessageID: chat.MessageID(room, seq),
		UserID: "alice", Type: "TEXT", Content: content, At: time.Unix(1_800_000_000, 0),
	}
}

func joined(room, seq int64, user string) chat.Event {
	return chat.Event{
		Log: chat.LogRef{Room: room}, LogID: room, Seq: seq, Kind: chat.KindMember, MessageID: chat.MessageID(room, seq),
		UserID: user, Change: chat.Joined, At: time.Unix(1_800_000_000, 0),
	}
}

func notification(user string, seq int64) chat.Event {
	return chat.Event{
		Log: chat.LogRef{User: user}, LogID: 9, Seq: seq, Kind: chat.KindNotification, MessageID: chat.MessageID(9, seq),
		UserID: user, Title: "Sold", At: time.Unix(1_800_000_000, 0),
	}
}

// heard is what one NATS message says.
type heard struct {
	Subject string
	Log     string
	Seqs    []int64
}

func hear(e *ear, n int) []heard {
	e.tb.Helper()
	var all []heard
	for range n {
		name, envelope, _ := e.envelope()
		h := heard{Subject: name, Log: envelope.GetLog().GetUserId()}
		if room := envelope.GetLog().GetChatRoomId(); room > 0 {
			h.Log = fmt.Sprint(room)
		}
		for _, event := range envelope.GetEvents() {
			h.Seqs = append(h.Seqs, event.GetSeq())
		}
		all = append(all, h)
	}
	return all
}

func TestPublish(t *testing.T) {
	t.Parallel()
	read := chat.Event{Log: chat.LogRef{Room: 42}, Kind: chat.KindRead, MessageID: "x", UserID: "bob", Mark: 7}
	private := read
	private.Private = true
	for name, tc := range map[string]struct {
		events   []chat.Event
		audience map[int64][]string
		want     []heard
	}{
		"one event": {
			events: []chat.Event{message(42, 7, "hi")},
			want:   []heard{{subject.Room(42), "42", []int64{7}}},
		},
		"one envelope per log, in order": {
			events: []chat.Event{
				message(42, 7, "a"), message(43, 1, "b"), message(42, 8, "c"), notification("bob", 3), message(42, 9, "d"),
			},
			want: []heard{
				{subject.Room(42), "42", []int64{7, 8, 9}},
				{subject.Room(43), "43", []int64{1}},
				{subject.User("bob"), "bob", []int64{3}},
			},
		},
		"live copies for the members of small rooms": {
			events:   []chat.Event{message(42, 7, "a"), message(43, 1, "b")},
			audience: map[int64][]string{42: {"alice", "卡罗"}},
			want: []heard{
				{subject.Room(42), "42", []int64{7}},
				{subject.User("alice"), "42", []int64{7}},
				{subject.User("卡罗"), "42", []int64{7}},
				{subject.Room(43), "43", []int64{1}},
			},
		},
		"no copies of what is no message": {
			events:   []chat.Event{message(42, 7, "a"), joined(42, 8, "dave"), message(42, 9, "b"), joined(43, 2, "dave")},
			audience: map[int64][]string{42: {"alice"}, 43: {"alice"}},
			want: []heard{
				{subject.Room(42), "42", []int64{7, 8, 9}},
				{subject.User("alice"), "42", []int64{7, 9}},
				{subject.Room(43), "43", []int64{2}},
			},
		},
		"state": {
			events: []chat.Event{read},
			want:   []heard{{subject.Room(42), "42", []int64{0}}, {subject.User("bob"), "42", []int64{0}}},
		},
		"what is for the user's own sessions": {
			events: []chat.Event{private, message(42, 7, "hi")},
			want:   []heard{{subject.User("bob"), "42", []int64{0}}, {subject.Room(42), "42", []int64{7}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker := startBroker(t)
			ear := listen(t, broker.url())
			r := newRig(t, broker.url(), publish.Options{}).run(t)
			r.publisher.Publish(tc.events, tc.audience)
			if diff := cmp.Diff(tc.want, hear(ear, len(tc.want))); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCopiesAreTheSameBytes(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	r := newRig(t, broker.url(), publish.Options{}).run(t)
	event := message(42, 7, "hi")
	r.publisher.Publish([]chat.Event{event}, map[int64][]string{42: {"alice", "bob"}})
	_, envelope, original := ear.envelope()
	for range 2 {
		name, _, data := ear.envelope()
		if !bytes.Equal(data, original) {
			t.Errorf("the copy on %s differs", name)
		}
	}
	if got, want := envelope.GetEvents()[0].GetJson(), event.JSON(); !bytes.Equal(got, want) {
		t.Errorf("JSON is %s, want %s", got, want)
	}
}

func TestLargeEnvelopesAreSplit(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	r := newRig(t, broker.url(), publish.Options{}).run(t)
	var events []chat.Event
	for seq := range int64(200) {
		events = append(events, message(42, seq+1, strings.Repeat("x", 10<<10)))
	}
	r.publisher.Publish(events, nil)
	next := int64(1)
	for next <= 200 {
		_, envelope, data := ear.envelope()
		if len(data) > 640<<10 {
			t.Errorf("an envelope has %d bytes", len(data))
		}
		if len(envelope.GetEvents()) < 10 {
			t.Errorf("an envelope has only %d events", len(envelope.GetEvents()))
		}
		for _, e := range envelope.GetEvents() {
			if e.GetSeq() != next {
				t.Fatalf("seq %d came, want %d", e.GetSeq(), next)
			}
			next++
		}
	}
}

func TestOrderOfCallsIsKept(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	r := newRig(t, broker.url(), publish.Options{}).run(t)
	const calls = 2_000
	for seq := range int64(calls) {
		r.publisher.Publish([]chat.Event{message(42, seq+1, "hi")}, nil)
	}
	for seq := range int64(calls) {
		_, envelope, _ := ear.envelope()
		if got := envelope.GetEvents()[0].GetSeq(); got != seq+1 {
			t.Fatalf("seq %d came, want %d", got, seq+1)
		}
	}
}

func TestPublishNeverBlocks(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	r := newRig(t, broker.url(), publish.Options{MaxQueued: 10}) // nothing runs: the queue only fills
	for seq := range int64(25) {
		r.publisher.Publish([]chat.Event{message(42, seq+1, "hi")}, nil)
	}
	if got := testutil.ToFloat64(r.metrics.Dropped.WithLabelValues("queue_full")); got != 15 {
		t.Errorf("%v events dropped, want 15", got)
	}
	ear := listen(t, broker.url())
	r.run(t)
	if got := len(hear(ear, 10)); got != 10 {
		t.Errorf("%d events published, want the 10 that were queued", got)
	}
	if heads := ear.heads(); len(heads) != 1 || heads[0].GetSeq() != 25 {
		t.Errorf("digest is %v, want the newest seq, also of dropped events", heads)
	}
}

func TestPublishWithoutNATSIsCounted(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	broker.stop()
	r := newRig(t, broker.url(), publish.Options{}).run(t)
	r.publisher.Publish([]chat.Event{message(42, 1, "hi")}, map[int64][]string{42: {"alice"}})
	eventually(t, "the event and its copy are counted as dropped", func() bool {
		return testutil.ToFloat64(r.metrics.Dropped.WithLabelValues("disconnected")) == 2
	})
}

func TestStopPublishesWhatIsQueued(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	r := newRig(t, broker.url(), publish.Options{Interval: time.Hour})
	for seq := range int64(100) {
		r.publisher.Publish([]chat.Event{message(42, seq+1, "hi")}, nil)
	}
	r.run(t).stop()
	hear(ear, 100)
	if heads := ear.heads(); len(heads) != 1 || heads[0].GetSeq() != 100 {
		t.Errorf("last digest is %v, want room 42 at 100", heads)
	}
}
