package conformance_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// shaking is a handshake as it is written, and its answer.
type shaking struct {
	name, spec string
	cut, put   string // of the upgrade as it should be
	status     string // "4" is any of 4xx
	header     string // that has to be there, with its value; "!Name": must not
}

const subprotocols = "RFC 6455 4.2.2: one of those the client offered, or no header"

var shakings = []shaking{
	{"as it should be", "RFC 6455 4.2.2: 101, and the key's digest", "", "", "101", "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
	{"POST", "RFC 6455 4.2.1: a GET request", "GET ", "POST ", "4", ""},
	{"HTTP/1.0", "RFC 6455 4.2.1: HTTP/1.1 or higher", "HTTP/1.1", "HTTP/1.0", "4", ""},
	{"no Host", "RFC 6455 4.2.1: a Host header", "Host: {host}\r\n", "", "400", ""},
	{"no Upgrade", "RFC 6455 4.2.1: an Upgrade header with websocket", "Upgrade: websocket\r\n", "", "4", ""},
	{"another Upgrade", "RFC 6455 4.2.1: an Upgrade header with websocket", "Upgrade: websocket", "Upgrade: h2c", "4", ""},
	{"Upgrade in capitals", "RFC 6455 4.2.1: compared without regard to case", "Upgrade: websocket", "Upgrade: WebSocket", "101", ""},
	{"no Connection", "RFC 6455 4.2.1: a Connection header with Upgrade", "Connection: Upgrade\r\n", "", "4", ""},
	{"Connection of many", "RFC 6455 4.2.1: a Connection header that includes Upgrade", "Connection: Upgrade", "Connection: keep-alive, upgrade", "101", ""},
	{"no key", "RFC 6455 4.2.1: a key of 16 bytes in base64", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400", ""},
	{"key of 15 bytes", "RFC 6455 4.2.1: a key of 16 bytes in base64", "dGhlIHNhbXBsZSBub25jZQ==", "MTIzNDU2Nzg5MDEyMzQ1", "400", ""},
	{"key no base64", "RFC 6455 4.2.1: a key of 16 bytes in base64", "dGhlIHNhbXBsZSBub25jZQ==", "!", "400", ""},
	{"no version", "RFC 6455 4.4: a version the server does not speak is answered with those it does", "Sec-WebSocket-Version: 13\r\n", "", "4", ""},
	{"version 8", "RFC 6455 4.4: a version the server does not speak is answered with those it does", "Version: 13", "Version: 8", "426", "Sec-Websocket-Version: 13"},
	{"all subprotocols", subprotocols, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: v10.stomp, v11.stomp, v12.stomp\r\n\r\n", "101", "Sec-Websocket-Protocol: v12.stomp"},
	{"subprotocols on lines", subprotocols, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: v10.stomp\r\nSec-WebSocket-Protocol: v11.stomp\r\n\r\n", "101", "Sec-Websocket-Protocol: v11.stomp"},
	{"old subprotocol", subprotocols, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: v10.stomp\r\n\r\n", "101", "Sec-Websocket-Protocol: v10.stomp"},
	{"unknown subprotocol", subprotocols, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n", "101", "!Sec-Websocket-Protocol"},
	{"known and unknown", subprotocols, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: mqtt, v11.stomp\r\n\r\n", "101", "Sec-Websocket-Protocol: v11.stomp"},
	{"no subprotocol", subprotocols, "", "", "101", "!Sec-Websocket-Protocol"},
	{"unknown extension", "RFC 6455 9.1: what is not agreed on is not used", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: foo\r\n\r\n", "101", "!Sec-Websocket-Extensions"},
}

// TestHandshake: RFC 6455 section 4.2.
func TestHandshake(t *testing.T) {
	t.Parallel()
	for _, s := range shakings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			v := verdict{t, "handshake: " + s.name, s.spec}
			request := upgrade
			if s.put != "" || s.cut != "" {
				request = strings.Replace(upgrade, s.cut, s.put, 1)
				if request == upgrade {
					t.Fatalf("the handshake has no %q", s.cut)
				}
			}
			_, _, response := shake(t, stomp, request)
			if !strings.HasPrefix(strconv.Itoa(response.StatusCode), s.status) {
				v.fails("status %s, want %s", response.Status, s.status)
				return
			}
			s.checkHeader(v, response.Header)
		})
	}
}

func (s shaking) checkHeader(v verdict, got http.Header) {
	v.t.Helper()
	if absent, not := strings.CutPrefix(s.header, "!"); not {
		if values := got.Values(absent); len(values) > 0 {
			v.fails("%s: %q, want none", absent, values)
		}
		return
	}
	key, value, ok := strings.Cut(s.header, ": ")
	if ok && got.Get(key) != value {
		v.fails("%s: %q, want %q", key, got.Get(key), value)
	}
}
