package stomp_test

import (
	"slices"
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// negotiated are the versions under which frames are exchanged; 0 is before CONNECT.
var negotiated = []stomp.Version{0, stomp.V10, stomp.V11, stomp.V12}

// outcome is all that came of a stream of bytes.
type outcome struct {
	frames   []stomp.Frame // copies
	err      error
	buffered int
}

// decode feeds the chunks to a new decoder. Each chunk is overwritten as soon as the decoder has no right to it any
// more, so that what it kept of one would show.
func decode(v stomp.Version, limits stomp.Limits, chunks ...string) outcome {
	d := stomp.NewDecoder(limits)
	d.SetVersion(v)
	var all outcome
	for _, chunk := range chunks {
		octets := []byte(chunk)
		d.Feed(octets)
		for {
			f, err := d.Next()
			if err != nil {
				all.err = err
				return all
			}
			if f == nil {
				break
			}
			all.frames = append(all.frames, clone(f))
		}
		for i := range octets {
			octets[i] = '#'
		}
	}
	all.buffered = d.Buffered()
	return all
}

func clone(f *stomp.Frame) stomp.Frame {
	return stomp.Frame{Command: f.Command, Header: slices.Clone(f.Header), Body: slices.Clone(f.Body)}
}

func same(a, b stomp.Frame) bool {
	return a.Command == b.Command && slices.Equal(a.Header, b.Header) && string(a.Body) == string(b.Body)
}

// one decodes bytes that must be exactly one frame.
func one(t *testing.T, v stomp.Version, wire string) stomp.Frame {
	t.Helper()
	got := decode(v, stomp.DefaultLimits, wire)
	if got.err != nil {
		t.Fatalf("version %q: %q: %v", v, wire, got.err)
	}
	if len(got.frames) != 1 || got.buffered != 0 {
		t.Fatalf("version %q: %q: %d frames and %d octets left, want one frame", v, wire, len(got.frames), got.buffered)
	}
	return got.frames[0]
}

// refused decodes bytes that must end in an error with this message, whole and octet by octet.
func refused(t *testing.T, v stomp.Version, wire, message string) stomp.Error {
	t.Helper()
	whole := decode(v, stomp.DefaultLimits, wire)
	failure, ok := whole.err.(*stomp.Error)
	if !ok {
		t.Fatalf("version %q: %q: %d frames, %v; want %q", v, wire, len(whole.frames), whole.err, message)
	}
	if failure.Message != message || failure.Detail == "" {
		t.Errorf("version %q: %q: %q (%q), want %q and a detail", v, wire, failure.Message, failure.Detail, message)
	}
	if bytewise := decode(v, stomp.DefaultLimits, octets(wire)...); !sameOutcome(whole, bytewise) {
		t.Errorf("version %q: %q: octet by octet: %v, want %v", v, wire, bytewise.err, whole.err)
	}
	return *failure
}

func sameOutcome(a, b outcome) bool {
	if !slices.EqualFunc(a.frames, b.frames, same) || (a.err == nil) != (b.err == nil) {
		return false
	}
	if a.err == nil {
		return a.buffered == b.buffered
	}
	return *a.err.(*stomp.Error) == *b.err.(*stomp.Error)
}

// octets cuts a text into chunks of one.
func octets(s string) []string {
	chunks := make([]string, len(s))
	for i := range chunks {
		chunks[i] = s[i : i+1]
	}
	return chunks
}
