package ws

import (
	"crypto/sha1" //nolint:gosec // G505: RFC 6455 asks for it; nothing is kept secret by it
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// keyGUID is appended to the client's key (RFC 6455 section 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// keepAlive finds peers that vanished while nothing is sent, beneath the pings.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// upgrade turns a request that has passed all checks into a Conn, and answers it (RFC 6455 section 4.2.2); nil where the
// client is gone already. After it, neither the request nor its context may be used.
func (h *handler) upgrade(w http.ResponseWriter, r *http.Request) *Conn {
	answer := acceptance(w.Header(), r)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusNotImplemented, event.Internal, "this server cannot upgrade the connection")
		return nil
	}
	early, err := rw.Peek(rw.Reader.Buffered())
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(h.opts.WriteTimeout)) // net/http's are still set
	}
	if err == nil {
		_, err = conn.Write(answer)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return nil
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(keepAlive) // the pings do without
	}
	c := &Conn{opts: h.forConn}
	c.socket.init(conn, early, h.opts.WriteTimeout)
	c.startPings()
	return c
}

// acceptance is the whole answer to a handshake.
func acceptance(header http.Header, r *http.Request) []byte {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + keyGUID)) //nolint:gosec // G401: see the import
	b := make([]byte, 0, 512)
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	b = append(b, "\r\n"...)
	if protocol := chooseProtocol(r.Header.Values("Sec-Websocket-Protocol")); protocol != "" {
		b = append(append(append(b, "Sec-WebSocket-Protocol: "...), protocol...), "\r\n"...)
	}
	for key, values := range header { // what the handlers around this one say
		for _, value := range values {
			b = append(append(append(append(b, key...), ": "...), value...), "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// chooseProtocol returns the subprotocol we like best of those the client offers, "" for none.
func chooseProtocol(offers []string) string {
	for _, ours := range subprotocols {
		for _, line := range offers {
			for offered := range strings.SplitSeq(line, ",") {
				if strings.EqualFold(strings.TrimSpace(offered), ours) {
					return ours
				}
			}
		}
	}
	return ""
}
