package swarm_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/deploy/loadgen/broker"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, data string
		want       []string
		broken     bool
	}{
		{"nothing", "", nil, false},
		{"heart-beats", "\n\r\n\n", nil, false},
		{"one", "MESSAGE\na:b\n\nhello\x00", []string{"Mhello"}, false},
		{"no header", "CONNECTED\n\n\x00", []string{"C"}, false},
		{
			"three, and heart-beats", "RECEIPT\nreceipt-id:1\n\n\x00\nMESSAGE\n\na\x00\n\nERROR\nmessage:x\n\nb\x00\n",
			[]string{"R", "Ma", "Eb"},
			false,
		},
		{"NUL in the body", "MESSAGE\ncontent-length:3\n\na\x00b\x00", []string{"Ma\x00b"}, false},
		{"a length too long", "MESSAGE\ncontent-length:4\n\nab\x00", nil, true},
		{"a length too short", "MESSAGE\ncontent-length:1\n\nab\x00", nil, true},
		{"a length that is none", "MESSAGE\ncontent-length:x\n\nab\x00", nil, true},
		{"no NUL", "MESSAGE\n\nab", nil, true},
		{"no end of the head", "MESSAGE\na:b\n", nil, true},
		{"unknown command", "MESSAGES\n\n\x00", nil, true},
		{"good, then bad", "RECEIPT\n\n\x00oh", []string{"R"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, ok := swarm.Frames([]byte(tc.data))
			if !slices.Equal(got, tc.want) || ok == tc.broken {
				t.Errorf("frames %q, ok %t; want %q, broken %t", got, ok, tc.want, tc.broken)
			}
		})
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("MESSAGE\ncontent-length:3\n\na\x00b\x00\n"))
	f.Add([]byte("RECEIPT\nreceipt-id:1\n\n\x00MESSAGE\n\n~0\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, _ := swarm.Frames(data)
		if n := len(strings.Join(frames, "")); n > len(data) {
			t.Fatalf("%d bytes make frames of %d", len(data), n)
		}
		swarm.FindsStamp(data)
	})
}

func TestStamp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.StringMatching(`[a-z0-9":{},]*`).Draw(t, "before")
		room, sender := rapid.Uint32().Draw(t, "room"), rapid.Uint16().Draw(t, "sender")
		number, at := rapid.Uint32().Draw(t, "number"), rapid.Int64Min(0).Draw(t, "at")
		if !swarm.StampRoundTrip(before, room, sender, number, time.Duration(at), "xxxx\"}") {
			t.Fatal("the stamp is not found as it was written")
		}
	})
	for _, text := range []string{"", "no mark", "~", "~0123", "~" + strings.Repeat("0", 35), "~" + strings.Repeat("g", 36)} {
		if swarm.FindsStamp([]byte(text)) {
			t.Errorf("a stamp is found in %q", text)
		}
	}
}

// A track tells a model of everything that came: what is new, late, double; within its window.
func TestTrack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var track swarm.Track
		came, last := map[uint32]bool{}, uint32(0)
		for range rapid.IntRange(1, 300).Draw(t, "arrivals") {
			step := rapid.IntRange(-63, 90).Draw(t, "step")
			number := uint32(max(1, int(last)+step))
			want := "in order"
			switch {
			case came[number]:
				want = "double"
			case number < last:
				want = "late"
			}
			came[number] = true
			last = max(last, number)
			if got := track.Take(number); got != want {
				t.Fatalf("%d behind %d is %s, want %s", number, last, got, want)
			}
			if track.Came() != uint32(len(came)) {
				t.Fatalf("%d came, want %d", track.Came(), len(came))
			}
		}
	})
}

// ready is a swarm of one client that takes deliveries, and a function that makes the next one.
func ready(tb testing.TB) (take func(), deliveries func() []byte) {
	tb.Helper()
	b := broker.New(tb, nil)
	plan := newPlan(tb, b, "connections: 1\nrooms: {size: 1}\nload: {rate: 1}")
	s, err := swarm.New(plan, func(swarm.Note) {})
	if err != nil {
		tb.Fatal(err)
	}
	conn, number := s.Adopt(), uint32(0)
	body := make([]byte, 0, 1024)
	message := make([]byte, 0, 1024)
	padding := strings.Repeat("x", 128-37)
	deliveries = func() []byte {
		number++
		body = append(body[:0], `{"event":"MESSAGE","chatRoomId":"1","seq":7,"messageId":"1-7","senderId":"u-0","type":"TEXT","content":"`...)
		body = append(swarm.AppendStamp(body, 0, 0, number, 1), padding...)
		body = append(body, `","sentAt":"2026-11-23T05:14:00.123Z"}`...)
		message = append(message[:0], "MESSAGE\nsubscription:0\ndestination:/topic/chat/1\nmessage-id:1-7\nseq:7\n"...)
		message = fmt.Appendf(message, "content-type:application/json\nevent:MESSAGE\ncontent-length:%d\n\n", len(body))
		message = append(append(message, body...), 0)
		return message
	}
	return func() { s.Message(conn, message) }, deliveries
}

// No allocation per message: the load generator shares the machine with what it measures.
func TestTakingADeliveryAllocatesNothing(t *testing.T) {
	take, next := ready(t)
	next()
	if n := testing.AllocsPerRun(1000, take); n != 0 {
		t.Errorf("%g allocations per delivery, want none", n)
	}
}

// BenchmarkTake is the client's own part of a delivery: reading the frame and keeping account of it.
func BenchmarkTake(b *testing.B) {
	take, next := ready(b)
	message := next()
	stamp := message[bytes.IndexByte(message, '~'):]
	number := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		number++
		swarm.AppendStamp(stamp[:0], 0, 0, number, 1) // over the old one: it is as long
		take()
	}
}
