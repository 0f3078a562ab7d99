package stomp_test

import (
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

func TestAppendFrame(t *testing.T) {
	t.Parallel()
	nasty := stomp.Header{{Key: "k\\", Value: "a:\\\r\nreceipt:1\n\n\x00SEND"}}
	badKeys := stomp.Header{{"a:b", "1"}, {"a\nb", "2"}, {"a\rb", "3"}, {"a\x00b", "4"}}
	field := func(key, value string) stomp.Header { return stomp.Header{{Key: key, Value: value}} }
	for _, c := range []struct {
		name    string
		version stomp.Version
		frame   stomp.Frame
		want    string
	}{
		{
			"plain", stomp.V12,
			stomp.Frame{Command: "RECEIPT", Header: field("receipt-id", "1")},
			"RECEIPT\nreceipt-id:1\n\n\x00",
		},
		{"no header", stomp.V12, stomp.Frame{Command: "DISCONNECT"}, "DISCONNECT\n\n\x00"},
		{
			"order and repetition are kept", stomp.V12,
			stomp.Frame{Command: "SEND", Header: stomp.Header{{"b", "1"}, {"a", "2"}, {"b", "3"}}},
			"SEND\nb:1\na:2\nb:3\n\n\x00",
		},
		{
			"escaped in 1.2", stomp.V12,
			stomp.Frame{Command: "MESSAGE", Header: nasty},
			"MESSAGE\n" + `k\\:a\c\\\r\nreceipt\c1\n\nSEND` + "\n\n\x00",
		},
		{
			"escaped in 1.1, CR dropped", stomp.V11,
			stomp.Frame{Command: "MESSAGE", Header: nasty},
			"MESSAGE\n" + `k\\:a\c\\\nreceipt\c1\n\nSEND` + "\n\n\x00",
		},
		{
			"dropped in 1.0", stomp.V10,
			stomp.Frame{Command: "MESSAGE", Header: nasty},
			"MESSAGE\nk\\:a:\\receipt:1SEND\n\n\x00",
		},
		{"dropped before CONNECT", 0, stomp.Frame{Command: "ERROR", Header: nasty}, "ERROR\nk\\:a:\\receipt:1SEND\n\n\x00"},
		{
			"keys escaped in 1.2", stomp.V12,
			stomp.Frame{Command: "SEND", Header: badKeys},
			"SEND\n" + `a\cb:1` + "\n" + `a\nb:2` + "\n" + `a\rb:3` + "\n\n\x00",
		},
		{
			"keys escaped in 1.1, those with CR left out", stomp.V11,
			stomp.Frame{Command: "SEND", Header: badKeys},
			"SEND\n" + `a\cb:1` + "\n" + `a\nb:2` + "\n\n\x00",
		},
		{"keys left out in 1.0", stomp.V10, stomp.Frame{Command: "SEND", Header: badKeys}, "SEND\n\n\x00"},
		{
			"CONNECT is never escaped", stomp.V12,
			stomp.Frame{Command: "CONNECT", Header: field("passcode", `a\nb:c`)},
			"CONNECT\npasscode:a\\nb:c\n\n\x00",
		},
		{
			"STOMP is never escaped", stomp.V12,
			stomp.Frame{Command: "STOMP", Header: field("passcode", `a\nb:c`)},
			"STOMP\npasscode:a\\nb:c\n\n\x00",
		},
		{
			"CONNECTED is never escaped", stomp.V12,
			stomp.Frame{Command: "CONNECTED", Header: nasty},
			"CONNECTED\nk\\:a:\\receipt:1SEND\n\n\x00",
		},
		{"a key of nothing", stomp.V12, stomp.Frame{Command: "SEND", Header: field("", "v")}, "SEND\n\n\x00"},
		{
			"length added", stomp.V12,
			stomp.Frame{Command: "SEND", Header: field("a", "1"), Body: []byte("Ä\x00")},
			"SEND\na:1\ncontent-length:3\n\nÄ\x00\x00",
		},
		{
			"length corrected in its place", stomp.V12,
			stomp.Frame{Command: "SEND", Header: stomp.Header{{"content-length", "99"}, {"a", "1"}}, Body: []byte("hello")},
			"SEND\ncontent-length:5\na:1\n\nhello\x00",
		},
		{
			"length once", stomp.V12,
			stomp.Frame{
				Command: "SEND", Body: []byte("hello"),
				Header: stomp.Header{{"a", "1"}, {"content-length", "5"}, {"content-length", "9"}},
			},
			"SEND\na:1\ncontent-length:5\n\nhello\x00",
		},
		{
			"length once, beside what needs escaping", stomp.V12,
			stomp.Frame{
				Command: "SEND", Body: []byte("x"),
				Header: stomp.Header{{"content-length", "5"}, {"a", ":"}, {"content-length", "9"}},
			},
			"SEND\ncontent-length:1\na:\\c\n\nx\x00",
		},
		{
			"length added, beside what needs escaping", stomp.V12,
			stomp.Frame{Command: "SEND", Header: field("a", ":"), Body: []byte("x")},
			"SEND\na:\\c\ncontent-length:1\n\nx\x00",
		},
		{
			"length of no body", stomp.V12,
			stomp.Frame{Command: "SEND", Header: field("content-length", "7")},
			"SEND\ncontent-length:0\n\n\x00",
		},
		{
			"a length in disguise", stomp.V10,
			stomp.Frame{
				Command: "SEND",
				Header:  stomp.Header{{"content-\nlength", "9"}, {"\x00content-length", "9"}, {"a", "1"}},
			},
			"SEND\na:1\n\n\x00",
		},
		{
			"a length in disguise before the true one", stomp.V12,
			stomp.Frame{Command: "SEND", Header: stomp.Header{{"content-length\x00", "9"}}, Body: []byte("hello")},
			"SEND\ncontent-length:5\n\nhello\x00",
		},
		{"a version not known yet", 77, stomp.Frame{Command: "SEND", Header: field("a", "\r")}, "SEND\na:\\r\n\n\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := string(stomp.AppendFrame([]byte("before"), c.version, &c.frame)); got != "before"+c.want {
				t.Errorf("got  %q\nwant %q", got, "before"+c.want)
			}
		})
	}
}

func TestAppendEscaped(t *testing.T) {
	t.Parallel()
	const text = "\x00a\r\n:\\\\nÄ\x00"
	for v, want := range map[stomp.Version]string{
		0: `a:\\nÄ`, stomp.V10: `a:\\nÄ`, stomp.V11: `a\n\c\\\\nÄ`, stomp.V12: `a\r\n\c\\\\nÄ`,
	} {
		if got := string(stomp.AppendEscaped([]byte(">"), v, text)); got != ">"+want {
			t.Errorf("version %q: %q, want %q", v, got, ">"+want)
		}
	}
}

func TestPrepared(t *testing.T) {
	t.Parallel()
	header := stomp.Header{
		{Key: "destination", Value: "/topic/chat/42"},
		{Key: "message-id", Value: "42-7"},
		{Key: "name", Value: "a:\r\nb\x00"},
	}
	body := []byte(`{"content":"你好"}`)
	p := stomp.NewPrepared(header, body)
	rest := func(name string) string {
		return "destination:/topic/chat/42\nmessage-id:42-7\nname:" + name + "\ncontent-length:20\n\n" +
			"{\"content\":\"你好\"}\x00"
	}
	for _, c := range []struct {
		version                      stomp.Version
		subscription, ack, want, got string
	}{
		{stomp.V11, "sub-0", "", "MESSAGE\nsubscription:sub-0\n" + rest(`a\c\nb`), "a:\nb"},
		{stomp.V12, "sub-0", "9", "MESSAGE\nsubscription:sub-0\nack:9\n" + rest(`a\c\r\nb`), "a:\r\nb"},
		{stomp.V12, `a\cb`, `\\`, "MESSAGE\nsubscription:a\\cb\nack:\\\\\n" + rest(`a\c\r\nb`), "a:\r\nb"},
		{stomp.V10, "sub-0", "", "MESSAGE\nsubscription:sub-0\n" + rest("a:b"), "a:b"},
	} {
		got := string(p.AppendTo([]byte("before"), c.version, c.subscription, c.ack))
		if got != "before"+c.want {
			t.Errorf("got  %q\nwant %q", got, "before"+c.want)
		}
		if most := p.Len() + len(c.subscription) + len(c.ack); len(c.want) > most {
			t.Errorf("%d octets, Len promises %d at most", len(c.want), most)
		}
		f := one(t, c.version, c.want)
		if string(f.Body) != string(body) || f.Header.Get("name") != c.got || f.Header.Get("message-id") != "42-7" {
			t.Errorf("version %q reads %q %q", c.version, f.Header, f.Body)
		}
	}
	if got := p.Body(); &got[0] != &body[0] || len(got) != len(body) {
		t.Errorf("body %q was copied or changed", got)
	}
}

func TestPreparedContentLengthIsTrue(t *testing.T) {
	t.Parallel()
	given := stomp.Header{{Key: "content-length", Value: "99"}}
	for _, c := range []struct {
		name   string
		header stomp.Header
		body   string
		want   string
	}{
		{"added", nil, "hello", "5"},
		{"corrected", given, "hello", "5"},
		{"no body", nil, "", "0"},
		{"no body, corrected", given, "", "0"},
	} {
		wire := stomp.NewPrepared(c.header, []byte(c.body)).AppendTo(nil, stomp.V12, "s", "")
		f := one(t, stomp.V12, string(wire))
		if got := f.Header.Get("content-length"); got != c.want || string(f.Body) != c.body || len(f.Header) != 2 {
			t.Errorf("%s: %q, want content-length %s", c.name, wire, c.want)
		}
	}
}

func TestPreparedUTF8(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value, body string
		want              bool
	}{
		{"both", "Ä", "你好", true},
		{"nothing", "", "", true},
		{"a NUL is UTF-8", "", "a\x00b", true},
		{"body cut in a sequence", "Ä", "你好"[:5], false},
		{"header", "\xff", "你好", false},
	} {
		if got := stomp.NewPrepared(stomp.Header{{Key: "k", Value: c.value}}, []byte(c.body)).UTF8(); got != c.want {
			t.Errorf("%s: UTF8() = %v, want %v", c.name, got, c.want)
		}
	}
}
