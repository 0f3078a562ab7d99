package ws

import "net"

// WithDefaults shows what a Handler makes of its options.
func (o Options) WithDefaults() Options { return o.withDefaults() }

// NewConn makes a Conn of a connection that was upgraded already.
func NewConn(conn net.Conn, maxMessage int) *Conn {
	o := Options{MaxMessage: maxMessage}.withDefaults()
	c := &Conn{opts: &connOptions{o.MaxMessage, o.PingEvery, o.PongWait, o.WriteTimeout, func(cause any) { panic(cause) }, nil}}
	c.socket.init(conn, nil, o.WriteTimeout)
	c.startPings()
	return c
}
