package faults_test

import (
	"bytes"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
	"pgregory.net/rapid"

	"github.com/fliliy/chat/deploy/faults"
)

func TestParseFrames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     []string // command, the header "k", body of each frame
		bad      bool
	}{
		{name: "heart-beat", in: "\n"},
		{name: "heart-beats of old", in: "\r\n\r\n"},
		{name: "no body", in: "RECEIPT\nk:7\n\n\x00", want: []string{"RECEIPT", "7", ""}},
		{name: "no header", in: "RECEIPT\n\n\x00", want: []string{"RECEIPT", "", ""}},
		{name: "body up to NUL", in: "MESSAGE\nk:v\n\nhello\x00\n", want: []string{"MESSAGE", "v", "hello"}},
		{
			name: "body by its length", in: "MESSAGE\ncontent-length:3\nk:v\n\na\x00b\x00",
			want: []string{"MESSAGE", "v", "a\x00b"},
		},
		{name: "escapes", in: `MESSAGE` + "\n" + `k:a\cb\\n\r` + "\n\n\x00", want: []string{"MESSAGE", "a:b\\n\r", ""}},
		{name: "the first of two", in: "ERROR\nk:1\nk:2\n\n\x00", want: []string{"ERROR", "1", ""}},
		{name: "a longer name", in: "ERROR\nkk:1\nk:2\n\n\x00", want: []string{"ERROR", "2", ""}},
		{
			name: "two frames", in: "CONNECTED\nk:1\n\n\x00\nRECEIPT\nk:2\n\n\x00",
			want: []string{"CONNECTED", "1", "", "RECEIPT", "2", ""},
		},
		{name: "unknown command", in: "HELLO\n\n\x00", bad: true},
		{name: "command alone", in: "MESSAGE", bad: true},
		{name: "command line alone", in: "MESSAGE\n", bad: true},
		{name: "no end of header", in: "MESSAGE\nk:v\n", bad: true},
		{name: "no NUL", in: "MESSAGE\n\nhello", bad: true},
		{name: "length beyond the end", in: "MESSAGE\ncontent-length:9\n\nhello\x00", bad: true},
		{name: "length within the body", in: "MESSAGE\ncontent-length:2\n\nhello\x00", bad: true},
		{name: "negative length", in: "MESSAGE\ncontent-length:-1\n\n\x00", bad: true},
		{name: "length is no number", in: "MESSAGE\ncontent-length:x\n\n\x00", bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			frames, err := faults.ParseFrames([]byte(tc.in))
			if (err != nil) != tc.bad {
				t.Fatalf("error = %v, want one: %v", err, tc.bad)
			}
			var got []string
			for _, f := range frames {
				got = append(got, f.Command, f.Get("k"), f.Body)
			}
			if len(got) != len(tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			for i := range got {
				if got[i] != tc.want[i] {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
		})
	}
}

// TestAppendFrame has a parser of somebody else read what the client writes.
func TestAppendFrame(t *testing.T) {
	t.Parallel()
	data := faults.AppendFrame("SEND", []byte("a\x00b"), "destination", "/app/chat/1/send", "receipt", "7")
	f, err := frame.NewReader(bytes.NewReader(data)).Read()
	if err != nil {
		t.Fatalf("go-stomp does not read the frame: %v", err)
	}
	if f.Command != "SEND" || f.Header.Get("destination") != "/app/chat/1/send" || f.Header.Get("receipt") != "7" ||
		string(f.Body) != "a\x00b" {
		t.Errorf("go-stomp reads %s %v %q", f.Command, f.Header, f.Body)
	}
}

// TestFramesSurvive reads back what was written, and takes no harm from what somebody else wrote.
func TestFramesSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		value := rapid.StringMatching(`[a-z/0-9]*`).Draw(t, "value")
		data := faults.AppendFrame("MESSAGE", body, "k", value)
		frames, err := faults.ParseFrames(append(data, '\n'))
		if err != nil || len(frames) != 1 || frames[0].Get("k") != value || frames[0].Body != string(body) {
			t.Fatalf("%q is read as %v, %v", data, frames, err)
		}
		data[rapid.IntRange(0, len(data)-1).Draw(t, "place")] = rapid.Byte().Draw(t, "damage")
		damaged, _ := faults.ParseFrames(data)
		for _, f := range damaged {
			if len(f.Body) > len(data) {
				t.Fatalf("a body of %d bytes in %d", len(f.Body), len(data))
			}
		}
	})
}
