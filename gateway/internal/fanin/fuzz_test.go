package fanin_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fanin"
	"github.com/fliliy/chat/gateway/internal/stomp"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// FuzzEnvelope: whatever comes off NATS, nothing panics, and nothing gets on but events of the log whose subject it came
// on, in rising order, each of which is one frame on the wire, whatever stands in it.
func FuzzEnvelope(f *testing.F) {
	odd := message(42, 2)
	odd.MessageId, odd.Json = "42-2\n\nx:y", []byte("{\x00}")
	for _, seed := range []proto.Message{
		envelope(roomRef(42), message(42, 1), message(42, 2)),
		envelope(roomRef(42), message(42, 2), message(42, 1)),
		envelope(roomRef(42), odd),
		envelope(userRef("bob"), message(7, 3)),
		envelope(roomRef(42)),
		&chatv1.Heads{Heads: []*chatv1.LogHead{{Log: roomRef(42), Seq: 9}, {Log: userRef("bob"), Seq: -1}, nil}},
	} {
		data, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, log := range []event.Log{{Room: 42}, {User: "bob"}} {
			hub := &checker{t: t, log: log}
			fanin.Taker(log, hub)(data)
			fanin.TakeHeads(data, hub)
		}
	})
}

// FuzzDecode: an envelope is read as protobuf's own decoder reads it, or refused by both.
func FuzzDecode(f *testing.F) {
	for _, seed := range []*chatv1.Envelope{
		envelope(roomRef(42), message(42, 1), message(42, 2)),
		envelope(userRef("bob"), notification),
		envelope(roomRef(42), removal, typing, newer),
		{},
	} {
		data, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, data...))          // fields that come again are merged
		f.Add(append(data, 0x7a, 1, 'x'))     // a field of a later contract
		f.Add(append(data, 0x0d, 1, 2, 3, 4)) // a field of another type
		f.Add(append(data, 0x0a, 3, 0x12, 1, 0xff))
		f.Add(append(data, 0x0c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want chatv1.Envelope
		refused := proto.Unmarshal(data, &want)
		got, err := fanin.Decode(data)
		if (err != nil) != (refused != nil) {
			t.Fatalf("refused with %v, protobuf says %v", err, refused)
		}
		if err != nil {
			return
		}
		if got.GetLog().GetChatRoomId() != want.GetLog().GetChatRoomId() ||
			got.GetLog().GetUserId() != want.GetLog().GetUserId() || len(got.GetEvents()) != len(want.GetEvents()) {
			t.Fatalf("read as %v, want %v", got, &want)
		}
		for i, e := range want.GetEvents() {
			known := &chatv1.Event{
				Seq: e.GetSeq(), Kind: e.GetKind(), MessageId: e.GetMessageId(), UserId: e.GetUserId(),
				MemberChange: e.GetMemberChange(), Json: e.GetJson(),
			}
			if !proto.Equal(got.GetEvents()[i], known) {
				t.Fatalf("event %d is read as %v, want %v", i, got.GetEvents()[i], known)
			}
		}
	})
}

// checker is a hub that looks at what it gets.
type checker struct {
	t   *testing.T
	log event.Log
}

func (c *checker) Deliver(log event.Log, events []event.Event) {
	if log != c.log {
		c.t.Fatalf("events of %v came on the subject of %v", log, c.log)
	}
	c.check(events)
}

func (c *checker) DeliverCopy(user string, room int64, events []event.Event) {
	if user != c.log.User || room <= 0 {
		c.t.Fatalf("copies for %q of room %d came on the subject of %v", user, room, c.log)
	}
	c.check(events)
}

func (c *checker) Covered(string, int64, int64, int) bool { return false }

func (c *checker) Heads([]event.Head) {}

func (c *checker) Resync() {}

func (c *checker) check(events []event.Event) {
	last := int64(0)
	for i := range events {
		e := &events[i]
		if e.Seq < 0 || e.Seq > 0 && e.Seq <= last {
			c.t.Fatalf("seq %d after %d", e.Seq, last)
		}
		last = max(last, e.Seq)
		decoder := stomp.NewDecoder(stomp.Limits{MaxBody: 1 << 20, MaxHeaders: 100, MaxHeaderLine: 1 << 20})
		decoder.SetVersion(stomp.V12)
		decoder.Feed(e.Frame.AppendTo(nil, stomp.V12, "sub", ""))
		frame, err := decoder.Next()
		if err != nil || frame == nil || decoder.Buffered() > 0 {
			c.t.Fatalf("the frame of %+v is not one frame: %v, %v, %d left", e, frame, err, decoder.Buffered())
		}
		if id := frame.Header.Get("message-id"); id != e.MessageID || !bytes.Equal(frame.Body, e.Frame.Body()) {
			c.t.Fatalf("%+v arrives as %v", e, frame)
		}
	}
}
