package stomp_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// carried is what arrives of a header that is written for version v, said anew in the tests' own words.
func carried(v stomp.Version, command string, h stomp.Header, body []byte) stomp.Header {
	badInKeys, badInValues := "\x00", "\x00"
	switch {
	case v <= stomp.V10 || command == stomp.CmdConnect || command == stomp.CmdStomp || command == stomp.CmdConnected:
		badInKeys, badInValues = "\x00\r\n:", "\x00\r\n"
	case v == stomp.V11:
		badInKeys, badInValues = "\x00\r", "\x00\r"
	}
	var out stomp.Header
	hasLength := false
	for _, field := range h {
		if field.Key == "content-length" {
			if hasLength {
				continue
			}
			field.Value, hasLength = strconv.Itoa(len(body)), true
		}
		if field.Key != "" && !strings.ContainsAny(field.Key, badInKeys) {
			out = append(out, stomp.Field{Key: field.Key, Value: without(badInValues, field.Value)})
		}
	}
	if !hasLength && len(body) > 0 {
		out = append(out, stomp.Field{Key: "content-length", Value: strconv.Itoa(len(body))})
	}
	return out
}

func without(bad, s string) string {
	for i := range bad {
		s = strings.ReplaceAll(s, bad[i:i+1], "")
	}
	return s
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkRoundTrip encodes a frame and wants it back, with nothing raw in between.
func checkRoundTrip(t failer, v stomp.Version, f stomp.Frame) {
	t.Helper()
	want := stomp.Frame{Command: f.Command, Header: carried(v, f.Command, f.Header, f.Body), Body: f.Body}
	wire := stomp.AppendFrame(nil, v, &f)
	head, rest, _ := bytes.Cut(wire, []byte("\n\n"))
	if !bytes.Equal(rest, append(bytes.Clone(f.Body), 0)) {
		t.Fatalf("version %q: %q: %q follows the header, want the body and a NUL", v, wire, rest)
	}
	if bytes.ContainsAny(head, "\r\x00") || bytes.Count(head, []byte("\n")) != len(want.Header) {
		t.Fatalf("version %q: raw octets or lines too many in %q", v, head)
	}
	limits := stomp.Limits{MaxBody: len(f.Body), MaxHeaders: len(want.Header), MaxHeaderLine: len(wire)}
	got := decode(v, limits, string(wire))
	if got.err != nil || len(got.frames) != 1 || got.buffered != 0 || !same(got.frames[0], want) {
		t.Fatalf("version %q: %q: came back as %+v, want %+v", v, wire, got, want)
	}
}

// octet prefers those that matter.
var octet = rapid.OneOf(rapid.SampledFrom([]byte("\x00\r\n:\\ncr,ab")), rapid.Byte())

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	text := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(octet, 0, 24).Draw(t, "octets")) })
	key := rapid.OneOf(text, rapid.Just("content-length"), rapid.Just("destination"))
	field := rapid.Custom(func(t *rapid.T) stomp.Field {
		return stomp.Field{Key: key.Draw(t, "key"), Value: text.Draw(t, "value")}
	})
	command := rapid.SampledFrom([]string{"SEND", "MESSAGE", "ERROR", "RECEIPT", "CONNECT", "STOMP", "CONNECTED"})
	rapid.Check(t, func(t *rapid.T) {
		f := stomp.Frame{
			Command: command.Draw(t, "command"),
			Header:  rapid.SliceOfN(field, 0, 6).Draw(t, "header"),
		}
		if f.Command == "SEND" || f.Command == "MESSAGE" || f.Command == "ERROR" {
			f.Body = rapid.SliceOfN(octet, 0, 40).Draw(t, "body")
		}
		checkRoundTrip(t, rapid.SampledFrom(negotiated).Draw(t, "version"), f)
	})
}

func TestRoundTripPrepared(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := func(name string) string { return string(rapid.SliceOfN(octet, 0, 24).Draw(t, name)) }
		v := rapid.SampledFrom([]stomp.Version{stomp.V10, stomp.V11, stomp.V12}).Draw(t, "version")
		subscription, value, body := "s"+raw("subscription"), raw("value"), []byte(raw("body"))
		p := stomp.NewPrepared(stomp.Header{{"name", value}}, body)
		wire := p.AppendTo(nil, v, string(stomp.AppendEscaped(nil, v, subscription)), "")
		want := stomp.Frame{Command: "MESSAGE", Body: body, Header: stomp.Header{
			{"subscription", carried(v, "MESSAGE", stomp.Header{{"k", subscription}}, nil)[0].Value},
			{"name", carried(v, "MESSAGE", stomp.Header{{"k", value}}, nil)[0].Value},
			{"content-length", strconv.Itoa(len(body))},
		}}
		got := decode(v, stomp.DefaultLimits, string(wire))
		if got.err != nil || len(got.frames) != 1 || !same(got.frames[0], want) {
			t.Fatalf("version %q: %q: came back as %+v, want %+v", v, wire, got, want)
		}
	})
}
