package stomp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

func TestDecodeUnescapesByVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, escaped string
		want          map[stomp.Version]string // a version that is missing refuses
	}{
		{"line feed", `a\nb`, map[stomp.Version]string{0: `a\nb`, stomp.V10: `a\nb`, stomp.V11: "a\nb", stomp.V12: "a\nb"}},
		{"colon", `a\cb`, map[stomp.Version]string{0: `a\cb`, stomp.V10: `a\cb`, stomp.V11: "a:b", stomp.V12: "a:b"}},
		{"backslash", `a\\nb`, map[stomp.Version]string{0: `a\\nb`, stomp.V10: `a\\nb`, stomp.V11: `a\nb`, stomp.V12: `a\nb`}},
		{"carriage return", `a\rb`, map[stomp.Version]string{0: `a\rb`, stomp.V10: `a\rb`, stomp.V12: "a\rb"}},
		{"undefined", `a\tb`, map[stomp.Version]string{0: `a\tb`, stomp.V10: `a\tb`}},
		{"upper case", `a\Nb`, map[stomp.Version]string{0: `a\Nb`, stomp.V10: `a\Nb`}},
		{"lone backslash at the end", `a\`, map[stomp.Version]string{0: `a\`, stomp.V10: `a\`}},
		{"three backslashes at the end", `a\\\`, map[stomp.Version]string{0: `a\\\`, stomp.V10: `a\\\`}},
		{"all", `\n\c\\`, map[stomp.Version]string{0: `\n\c\\`, stomp.V10: `\n\c\\`, stomp.V11: "\n:\\", stomp.V12: "\n:\\"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range negotiated {
				want, ok := c.want[v]
				for _, wire := range []string{"SEND\nk:" + c.escaped + "\n\n\x00", "SEND\nplain:1\n" + c.escaped + ":v\n\n\x00"} {
					if !ok {
						refused(t, v, wire, "bad escape")
						continue
					}
					f := one(t, v, wire)
					if f.Header.Get("k") != want && f.Header.Get(want) != "v" {
						t.Errorf("version %q: %q: header %q, want %q in it", v, wire, f.Header, want)
					}
				}
			}
		})
	}
}

func TestDecodeNeverUnescapesConnect(t *testing.T) {
	t.Parallel()
	for _, command := range []string{stomp.CmdConnect, stomp.CmdStomp, stomp.CmdConnected} {
		for _, v := range negotiated {
			f := one(t, v, command+"\n"+`passcode:a\nb`+"\n"+`login:x\t`+"\n\n\x00")
			if f.Header.Get("passcode") != `a\nb` || f.Header.Get("login") != `x\t` {
				t.Errorf("version %q: %s header %q, want it as it stands", v, command, f.Header)
			}
		}
	}
}

func TestDecodeEndOfLine(t *testing.T) {
	t.Parallel()
	const wire = "SEND\r\ndestination:/a\r\nk:\r\n\r\nbody\x00"
	for _, v := range []stomp.Version{0, stomp.V12} {
		f := one(t, v, wire)
		want := stomp.Header{{Key: "destination", Value: "/a"}, {Key: "k"}}
		if !slices.Equal(f.Header, want) || string(f.Body) != "body" {
			t.Errorf("version %q: CRLF: %q %q, want %q", v, f.Header, f.Body, want)
		}
		refused(t, v, "SEND\nk:a\rb\n\n\x00", "bare CR")
		refused(t, v, "SEND\nk:a\r\r\n\n\x00", "bare CR")
		refused(t, v, "SEND\nk\r:a\n\n\x00", "bare CR")
		refused(t, v, "SE\rND\n\n\x00", "bare CR")
	}
	for _, v := range []stomp.Version{stomp.V10, stomp.V11} {
		f := one(t, v, "SEND\nk:a\rb\r\n\n\x00")
		if got := f.Header.Get("k"); got != "a\rb\r" {
			t.Errorf("version %q: value %q, want the CRs in it", v, got)
		}
		refused(t, v, wire, "unknown command")
		refused(t, v, "SEND\nk:v\n\r\n\x00", "bad header")
	}
}

func TestDecodeSkipsEndsOfLineBetweenFrames(t *testing.T) {
	t.Parallel()
	for _, v := range negotiated {
		got := decode(v, stomp.DefaultLimits, "\n\r\n\n", "\r", "\nBEGIN\ntransaction:1\n\n\x00\n\n\r", "\n\r\nABORT\n\n\x00\n")
		if got.err != nil || len(got.frames) != 2 || got.buffered != 0 {
			t.Errorf("version %q: %+v, want two frames and nothing left", v, got)
		}
		refused(t, v, "\r\rBEGIN\n\n\x00", "bare CR")
		refused(t, v, "\n\rBEGIN\n\n\x00", "bare CR")
	}
}

func TestDecodeKeepsSpacesAndColonsOfValues(t *testing.T) {
	t.Parallel()
	for _, v := range negotiated {
		f := one(t, v, "SEND\n key : value : 2 \nempty:\n\t:\t\n\n\x00")
		want := stomp.Header{{Key: " key ", Value: " value : 2 "}, {Key: "empty"}, {Key: "\t", Value: "\t"}}
		if !slices.Equal(f.Header, want) {
			t.Errorf("version %q: %q, want %q", v, f.Header, want)
		}
	}
}

func TestDecodeRefusesBrokenHeaderLines(t *testing.T) {
	t.Parallel()
	for _, v := range negotiated {
		failure := refused(t, v, "SEND\nk:v\nsecret without colon\n\n\x00", "bad header")
		if strings.Contains(failure.Detail, "secret") || !strings.Contains(failure.Detail, "line 3") {
			t.Errorf("detail %q, want the line's number and not its text", failure.Detail)
		}
		refused(t, v, "SEND\n:v\n\n\x00", "bad header")
		refused(t, v, "SEND\n:\n\n\x00", "bad header")
		refused(t, v, "SEND\n \n\n\x00", "bad header")
	}
}

func TestDecodeFirstOfRepeatedHeadersCounts(t *testing.T) {
	t.Parallel()
	for _, v := range negotiated {
		f := one(t, v, "SEND\ndestination:/a\ndestination:/b\ncontent-length:1\ncontent-length:5\nid:\nid:2\n\nx\x00")
		if got := f.Header.Get("destination"); got != "/a" {
			t.Errorf("version %q: destination %q, want the first", v, got)
		}
		if got, ok := f.Header.Lookup("id"); got != "" || !ok {
			t.Errorf("version %q: id %q, %v; want the first, which is empty", v, got, ok)
		}
		if string(f.Body) != "x" || f.Header.Get("content-length") != "1" {
			t.Errorf("version %q: body %q by content-length %q, want both by the first", v, f.Body, f.Header.Get("content-length"))
		}
		refused(t, v, "SEND\ncontent-length:5\ncontent-length:1\n\nx\x00abcd", "bad content-length")
	}
}

func TestDecodeCommands(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"CONNECT", "STOMP", "CONNECTED", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT",
		"DISCONNECT", "MESSAGE", "RECEIPT", "ERROR",
	} {
		for _, v := range negotiated {
			if f := one(t, v, command+"\n\n\x00"); f.Command != command || len(f.Header) != 0 || f.Body != nil {
				t.Errorf("version %q: %q became %+v", v, command, f)
			}
			refused(t, v, strings.ToLower(command)+"\n\n\x00", "unknown command")
			refused(t, v, command+" \n\n\x00", "unknown command")
			refused(t, v, " "+command+"\n\n\x00", "unknown command")
		}
	}
	for _, line := range []string{"HELLO", "SENDSENDSEND", "GET /ws HTTP/1.1", "\xff\xfe", "{\"type\":1}", "SEND\\n"} {
		refused(t, stomp.V12, line+"\n\n\x00", "unknown command")
	}
}

// An unknown command shows long before its line ends, and its text in the error is short.
func TestDecodeRefusesLongCommandEarly(t *testing.T) {
	t.Parallel()
	got := decode(stomp.V12, stomp.DefaultLimits, strings.Repeat("A", 13))
	failure, ok := got.err.(*stomp.Error)
	if !ok || failure.Message != "unknown command" || len(failure.Detail) > 120 {
		t.Errorf("13 octets of a command: %v, want unknown command", got.err)
	}
}

func TestDecodeNUL(t *testing.T) {
	t.Parallel()
	for _, v := range negotiated {
		refused(t, v, "SEND\ndestination:/a\x00", "NUL in a header")
		refused(t, v, "SEND\nk:a\x00b\n\n\x00", "NUL in a header")
		refused(t, v, "SEND\n\x00", "NUL in a header")
		refused(t, v, "SEND\x00", "NUL in a header")
		refused(t, v, "\x00", "NUL in a header")
		refused(t, v, "BEGIN\n\n\x00\x00", "NUL in a header")
		if f := one(t, v, "SEND\ncontent-length:3\n\na\x00b\x00"); string(f.Body) != "a\x00b" {
			t.Errorf("version %q: body %q, want the NUL in it", v, f.Body)
		}
	}
}
