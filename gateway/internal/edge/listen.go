package edge

import (
	"crypto/tls"
	"net"

	"github.com/pires/go-proxyproto"
)

// dress puts around the public port what connections pass before HTTP: a bound on what the kernel keeps, the PROXY
// protocol, TLS. Whoever does not get through within HandshakeTime is cut: net/http sees to TLS, and the PROXY
// header is read within the first read of either.
func (s *Server) dress(listener net.Listener) net.Listener {
	listener = bounded(listener, s.opts.SocketBuffer)
	if s.opts.ProxyProtocol {
		listener = &proxyproto.Listener{
			Listener: listener, ConnPolicy: s.proxyPolicy, ReadHeaderTimeout: s.opts.HandshakeTime,
		}
	}
	if s.opts.Certificate != nil {
		listener = tls.NewListener(listener, &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"http/1.1"}, // WebSockets need it, and one door is enough to guard
			GetCertificate: s.opts.Certificate,
		})
	}
	return listener
}

// proxyPolicy lets trusted proxies, and nobody else, say whose a connection is. They have to: what a proxy passes on
// without a header of its own may begin with one of the client's invention. Of all others the header is no HTTP request.
func (s *Server) proxyPolicy(from proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
	if peer, ok := from.Upstream.(*net.TCPAddr); ok && within(s.opts.TrustedProxies, peer.AddrPort().Addr()) {
		return proxyproto.REQUIRE, nil
	}
	return proxyproto.SKIP, nil
}

// boundedListener bounds what the kernel keeps for each connection.
type boundedListener struct {
	net.Listener
	buffer int
}

func bounded(listener net.Listener, buffer int) net.Listener {
	if buffer <= 0 {
		return listener
	}
	return boundedListener{listener, buffer}
}

// Accept implements net.Listener.
func (l boundedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(l.buffer) // without it a slow client costs more, no more than that
	}
	return conn, err
}
