package ws

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	readBuffer  = 512 // frame headers and small messages; larger payloads bypass it
	writeBuffer = 160 // one whole control frame (127 bytes), or a data frame's header; the socket gathers the rest
)

// keepAlive finds peers that vanished while nothing is sent, beneath the pings.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// hijacker takes the connection from net/http with buffers of our size, leaving the server's 4 KiB ones behind, and
// puts the socket under it.
type hijacker struct {
	http.ResponseWriter
	writeTimeout time.Duration
	socket       *socket // set by Hijack
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take the connection over: %w", err)
	}
	early, err := rw.Peek(rw.Reader.Buffered())
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("take over what was read: %w", err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(keepAlive) // the pings do without
	}
	h.socket = newSocket(conn, early, h.writeTimeout)
	return h.socket, bufio.NewReadWriter(
		bufio.NewReaderSize(h.socket, readBuffer), bufio.NewWriterSize(h.socket, writeBuffer)), nil
}
