package stomp_test

import (
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// The promise of the package: one allocation to decode a frame, none to encode one.
func TestAllocations(t *testing.T) {
	wire := stomp.AppendFrame(nil, stomp.V12, &send200)
	escaped := []byte(strings.Replace(string(wire), "message-17", `message\c17`, 1))
	batch := []byte(strings.Repeat(string(wire)+"\n", 10))
	beat := []byte("\n")
	awkward := stomp.Frame{Command: stomp.CmdMessage, Header: stomp.Header{{Key: "a:b", Value: "\\\r\n"}}, Body: body200}
	prepared := stomp.NewPrepared(message200.Header[1:], body200)
	d := stomp.NewDecoder(stomp.DefaultLimits)
	d.SetVersion(stomp.V12)
	dst := make([]byte, 0, 4096)
	for _, c := range []struct {
		name string
		most float64
		do   func()
	}{
		{"decode SEND", 1, func() { drain(t, d, wire, 1) }},
		{"decode SEND with an escape", 1, func() { drain(t, d, escaped, 1) }},
		{"decode ten in one chunk", 10, func() { drain(t, d, batch, 10) }},
		{"decode heart-beat", 0, func() { drain(t, d, beat, 0) }},
		{"encode SEND", 0, func() { dst = stomp.AppendFrame(dst[:0], stomp.V12, &send200) }},
		{"encode MESSAGE", 0, func() { dst = stomp.AppendFrame(dst[:0], stomp.V10, &message200) }},
		{"encode what needs escaping", 0, func() { dst = stomp.AppendFrame(dst[:0], stomp.V12, &awkward) }},
		{"complete prepared MESSAGE", 0, func() { dst = prepared.AppendTo(dst[:0], stomp.V12, "sub-0", "42-7") }},
		{"append escaped", 0, func() { dst = stomp.AppendEscaped(dst[:0], stomp.V12, "a:b") }},
	} {
		c.do()
		if got := testing.AllocsPerRun(100, c.do); got > c.most {
			t.Errorf("%s: %v allocations, want %v at most", c.name, got, c.most)
		}
	}
}

func drain(t *testing.T, d *stomp.Decoder, chunk []byte, want int) {
	d.Feed(chunk)
	for {
		f, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f == nil {
			break
		}
		want--
	}
	if want != 0 {
		t.Fatalf("%d frames missing", want)
	}
}
