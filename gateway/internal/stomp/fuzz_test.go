package stomp_test

import (
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// tight limits are met by small inputs. An unfinished frame can hold no more than a command, eight lines, a body and
// the few octets between and behind them.
var (
	tight     = stomp.Limits{MaxBody: 64, MaxHeaders: 6, MaxHeaderLine: 40}
	tightMost = len("UNSUBSCRIBE\r\n") + 8*40 + len("\r\n") + 64 + 1
)

// FuzzDecode: whatever comes, in whatever pieces and version, nothing panics, memory stays bounded, the pieces make
// the same frames and the same error as the whole, and every frame survives being sent on.
func FuzzDecode(f *testing.F) {
	for _, wire := range []string{
		conversation,
		"CONNECT\r\naccept-version:1.2\r\npasscode:a\\nb\r\n\r\n\x00\r\n",
		"SEND\ncontent-length:3\n\n\x00\x00\x00\x00",
		"SEND\ncontent-length:9223372036854775808\n\n",
		"SEND\ncontent-length:-1\n\n\x00",
		"SEND\na:1\na:2\na:3\na:4\na:5\na:6\na:7\n\n\x00",
		"SEND\nk:0123456789012345678901234567890123456789\n\n\x00",
		"SEND\nk:\\t\n\n\x00", "SEND\nk\n\n\x00", "SEND\nk:a\rb\n\n\x00", "SEND\nk:\x00", "RECEIPT\n\nx\x00", "HELLO\n\n\x00",
	} {
		for v := range negotiated {
			f.Add([]byte(wire), []byte{1, 7, 0, 3}, uint8(v))
		}
	}
	f.Fuzz(func(t *testing.T, data, cuts []byte, version uint8) {
		v := stomp.Version(version % 4)
		whole := decode(v, tight, string(data))
		pieces := decode(v, tight, cut(string(data), cuts)...)
		if !sameOutcome(whole, pieces) {
			t.Fatalf("version %q: in pieces %+v, want %+v", v, pieces, whole)
		}
		if whole.buffered > tightMost {
			t.Fatalf("version %q: %d octets of an unfinished frame, want %d at most", v, whole.buffered, tightMost)
		}
		for _, frame := range whole.frames {
			if len(frame.Header) > tight.MaxHeaders || len(frame.Body) > tight.MaxBody {
				t.Fatalf("version %q: a frame over the limits: %+v", v, frame)
			}
			switch frame.Command {
			case stomp.CmdSend, stomp.CmdMessage, stomp.CmdError:
			default:
				frame.Body = nil // 1.0 lets one in where the others do not
			}
			for _, to := range negotiated {
				checkRoundTrip(t, to, frame)
			}
		}
	})
}

// cut makes pieces of the lengths in cuts, over and over; of one octet without any.
func cut(s string, cuts []byte) []string {
	var pieces []string
	for i := 0; s != ""; i++ {
		n := 1
		if len(cuts) > 0 {
			n = min(int(cuts[i%len(cuts)])+i/len(cuts)%2, len(s))
		}
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return pieces
}

// FuzzRoundTrip: decode(encode(h)) = h, but for what a version cannot carry, and no raw CR, LF or NUL gets out.
func FuzzRoundTrip(f *testing.F) {
	for v := range negotiated {
		f.Add("destination", "/topic/chat/42", []byte("hello"), uint8(v))
		f.Add("k:\\\r\n\x00", "a:\\\r\nreceipt:1\n\n\x00SEND", []byte("\x00\n\n\x00"), uint8(v))
		f.Add("content-length", "99", []byte("12345"), uint8(v))
		f.Add("", "", []byte{}, uint8(v))
		f.Add("\\", "\\n", []byte("\r\n"), uint8(v))
	}
	f.Fuzz(func(t *testing.T, key, value string, body []byte, version uint8) {
		v := stomp.Version(version % 4)
		header := stomp.Header{{Key: "first", Value: value}, {Key: key, Value: value}, {Key: key, Value: "again"}}
		checkRoundTrip(t, v, stomp.Frame{Command: stomp.CmdMessage, Header: header, Body: body})
		checkRoundTrip(t, v, stomp.Frame{Command: stomp.CmdConnected, Header: header})
	})
}
