package stomp_test

import (
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

func TestDecodeBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, rest, body string }{
		{"to the NUL", "\nhello\x00", "hello"},
		{"none", "\n\x00", ""},
		{"by length", "content-length:5\n\nhello\x00", "hello"},
		{"length 0", "content-length:0\n\n\x00", ""},
		{"octets, not characters", "content-length:2\n\nÄ\x00", "Ä"},
		{"leading zeros", "content-length:0005\n\nhello\x00", "hello"},
		{"only NULs", "content-length:2\n\n\x00\x00\x00", "\x00\x00"},
		{"looks like frames", "content-length:12\n\n\n\nSEND\n\n\x00\r\n\x00\x00", "\n\nSEND\n\n\x00\r\n\x00"},
		{"ends of line", "\n\r\n\n\x00", "\r\n\n"},
		{"no UTF-8", "\n\xff\xc3\x00", "\xff\xc3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range negotiated {
				for _, command := range []string{stomp.CmdSend, stomp.CmdMessage, stomp.CmdError} {
					if f := one(t, v, command+"\n"+c.rest); string(f.Body) != c.body {
						t.Errorf("version %q: %s body %q, want %q", v, command, f.Body, c.body)
					}
				}
			}
		})
	}
}

func TestThreat11BadContentLength(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"-1", "+5", " 5", "5 ", "", "five", "0x5", "5.0", "5,5", "1e3", "٥", "5\t"} {
		for _, v := range negotiated {
			failure := refused(t, v, "SEND\ncontent-length:"+value+"\n\nhello\x00", "bad content-length")
			if failure.Limit != "" {
				t.Errorf("version %q: content-length %q counts as too large, want malformed", v, value)
			}
		}
	}
}

func TestThreat11HugeContentLengthAtOnce(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"65537", "1000000000", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808",
		"18446744073709551615", "18446744073709551616", "18446744073709551621", strings.Repeat("9", 4000),
	} {
		for _, v := range negotiated {
			failure := refused(t, v, "SEND\ncontent-length:"+value+"\n\n", "body too large")
			if failure.Limit != stomp.LimitBody {
				t.Errorf("version %q: content-length %.40q does not count as too large", v, value)
			}
		}
	}
}

func TestDecodeRefusesWrongContentLength(t *testing.T) {
	t.Parallel()
	for _, v := range negotiated {
		_ = refused(t, v, "SEND\ncontent-length:4\n\nhello\x00", "bad content-length")
		_ = refused(t, v, "SEND\ncontent-length:0\n\nhello\x00", "bad content-length")
	}
	// One that is too long cannot be told from a body that is still to come: the NUL counts as body.
	got := decode(stomp.V12, stomp.DefaultLimits, "SEND\ncontent-length:6\n\nhello\x00")
	if got.err != nil || len(got.frames) != 0 || got.buffered == 0 {
		t.Errorf("content-length too long: %+v, want the decoder to wait", got)
	}
}

// Frames that must not have a body may say that it is empty. STOMP 1.0 does not know the rule.
func TestDecodeBodyWhereNoneMayBe(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"CONNECT", "STOMP", "CONNECTED", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT",
		"DISCONNECT", "RECEIPT",
	} {
		for _, v := range negotiated {
			if f := one(t, v, command+"\ncontent-length:0\n\n\x00"); f.Body != nil {
				t.Errorf("version %q: %s has the body %q", v, command, f.Body)
			}
			for _, wire := range []string{command + "\n\nhello\x00", command + "\ncontent-length:5\n\nhello\x00"} {
				if v != stomp.V10 {
					_ = refused(t, v, wire, "unexpected body")
				} else if f := one(t, v, wire); string(f.Body) != "hello" {
					t.Errorf("1.0: %s body %q, want it passed on", command, f.Body)
				}
			}
		}
	}
}
