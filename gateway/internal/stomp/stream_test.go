package stomp_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// conversation has everything that cuts can hit: UTF-8, escapes, CRLF, heart-beats, NULs in a body.
const conversation = "\r\n\nSUBSCRIBE\r\nid:sub-0\r\ndestination:/topic/chat/42\r\n\r\n\x00\n\n" +
	"SEND\ndestination:/app/chat/42/send\nname:" + `\c\\\n\r` + "\ncontent-length:10\n\n你好\x00\n\x00!\x00" +
	"SEND\n你:好\n\nÄ🎈\x00\r\nDISCONNECT\nreceipt:1\n\n\x00"

func TestDecodeCutAnywhere(t *testing.T) {
	t.Parallel()
	whole := decode(stomp.V12, stomp.DefaultLimits, conversation)
	if whole.err != nil || len(whole.frames) != 4 {
		t.Fatalf("whole: %+v, want four frames", whole)
	}
	if got := decode(stomp.V12, stomp.DefaultLimits, octets(conversation)...); !sameOutcome(whole, got) {
		t.Errorf("octet by octet: %+v, want %+v", got, whole)
	}
	for i := range conversation {
		for j := i; j <= len(conversation); j++ {
			got := decode(stomp.V12, stomp.DefaultLimits, conversation[:i], conversation[i:j], conversation[j:])
			if !sameOutcome(whole, got) {
				t.Fatalf("cut at %d and %d: %+v, want %+v", i, j, got, whole)
			}
		}
	}
}

func TestDecodeManyFramesInOneChunk(t *testing.T) {
	t.Parallel()
	const frame = "SEND\ndestination:/app/chat/42/send\n\nhello\x00\n"
	got := decode(stomp.V12, stomp.DefaultLimits, "\n\n"+strings.Repeat(frame, 1000)+frame[:20], frame[20:])
	if got.err != nil || len(got.frames) != 1001 || got.buffered != 0 {
		t.Errorf("%d frames, %d octets left, %v; want 1001 frames", len(got.frames), got.buffered, got.err)
	}
}

// Were every call to look at the whole frame again, these would not end before the tests' deadline.
func TestDecodeDribbleTakesLinearTime(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	limits := stomp.Limits{MaxBody: size, MaxHeaders: 1, MaxHeaderLine: size}
	for name, wire := range map[string]string{
		"body to the NUL": "SEND\n\n" + strings.Repeat("x", size) + "\x00",
		"body by length":  "SEND\ncontent-length:4194304\n\n" + strings.Repeat("\x00", size) + "\x00",
		"header line":     "SEND\nk:" + strings.Repeat("v", size-2) + "\n\n\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := stomp.NewDecoder(limits)
			octets := []byte(wire)
			for i := range octets {
				d.Feed(octets[i : i+1])
				f, err := d.Next()
				if err != nil || (f != nil) != (i == len(octets)-1) {
					t.Fatalf("after %d of %d octets: %v, %v", i+1, len(octets), f != nil, err)
				}
			}
		})
	}
}

func TestDecodeEmptyChunks(t *testing.T) {
	t.Parallel()
	got := decode(stomp.V12, stomp.DefaultLimits, "", "SEND\n\nhel", "", "", "lo\x00", "")
	if got.err != nil || len(got.frames) != 1 || string(got.frames[0].Body) != "hello" {
		t.Errorf("%+v, want one frame", got)
	}
}

// Feeding before Next has asked for more is allowed; the first chunk must not be written to.
func TestFeedTwice(t *testing.T) {
	t.Parallel()
	d := stomp.NewDecoder(stomp.DefaultLimits)
	memory := []byte("SEND\n\nhel#####")
	d.Feed(memory[:9])
	d.Feed([]byte("lo\x00"))
	f, err := d.Next()
	if err != nil || string(f.Body) != "hello" || string(memory[9:]) != "#####" {
		t.Errorf("%v, %v, and %q behind the chunk", f, err, memory[9:])
	}
}

func TestBodyAliasesTheChunk(t *testing.T) {
	t.Parallel()
	chunk := []byte("SEND\n\nhello\x00BEGIN\n\n\x00")
	d := stomp.NewDecoder(stomp.DefaultLimits)
	d.Feed(chunk)
	f, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	if &f.Body[0] != &chunk[6] {
		t.Error("the body was copied")
	}
	if grown := append(f.Body, '!'); string(grown) != "hello!" || chunk[11] != 0 {
		t.Error("appending to the body writes into the chunk")
	}
	if f, err := d.Next(); err != nil || f.Command != stomp.CmdBegin {
		t.Errorf("%v, %v; want BEGIN", f, err)
	}
}

func TestHeaderStringsOutliveTheFrame(t *testing.T) {
	t.Parallel()
	chunk := []byte("SEND\ndestination:/a\nescaped:" + `\c` + "\n\n\x00")
	d := stomp.NewDecoder(stomp.DefaultLimits)
	d.SetVersion(stomp.V12)
	d.Feed(chunk)
	f, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.Clone(f.Header)
	if _, err := d.Next(); err != nil {
		t.Fatal(err)
	}
	clear(chunk)
	d.Feed([]byte("SEND\nother:1\nlines:2\n\n\x00"))
	if _, err := d.Next(); err != nil {
		t.Fatal(err)
	}
	if want := (stomp.Header{{Key: "destination", Value: "/a"}, {Key: "escaped", Value: ":"}}); !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
}

func TestBuffered(t *testing.T) {
	t.Parallel()
	d := stomp.NewDecoder(stomp.DefaultLimits)
	for _, step := range []struct {
		chunk string
		want  int
	}{
		{"\n\r\n", 0}, {"\r", 1}, {"\nCONN", 4}, {"ECT\n", 8}, {"\n", 9}, {"\x00\n", 0}, {"SEND\n\nhello", 11}, {"\x00SE", 2},
	} {
		d.Feed([]byte(step.chunk))
		for f, err := d.Next(); f != nil || err != nil; f, err = d.Next() {
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := d.Buffered(); got != step.want {
			t.Errorf("after %q: %d octets buffered, want %d", step.chunk, got, step.want)
		}
	}
}

// An idle decoder lets go of what a big frame needed, its header's strings and fields included.
func TestIdleDecoderHoldsNothing(t *testing.T) {
	const decoders = 200
	wire := "SEND\n" + strings.Repeat("key:"+strings.Repeat("v", 500)+"\n", 100) + "\n" + strings.Repeat("x", 60000) + "\x00"
	var before, after runtime.MemStats
	all := make([]*stomp.Decoder, decoders)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range all {
		all[i] = stomp.NewDecoder(stomp.DefaultLimits)
		for _, chunk := range []string{wire[:70000], wire[70000:]} {
			all[i].Feed([]byte(chunk))
			for f, err := all[i].Next(); f != nil || err != nil; f, err = all[i].Next() {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / decoders; held > 2048 {
		t.Errorf("an idle decoder holds %d octets", held)
	}
	runtime.KeepAlive(all)
}
