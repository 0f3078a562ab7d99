package edge_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/fliliy/chat/gateway/internal/edge"
)

// echoAddr answers with where the client is.
var echoAddr = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	_, _ = io.WriteString(w, host)
})

func selfSigned(t *testing.T, name string) *tls.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

// raw is a connection with a deadline.
func raw(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask sends a GET and reads the answer, leaving the connection open.
func ask(t *testing.T, conn net.Conn) (status int, body string) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0, err.Error()
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, err.Error()
	}
	return response.StatusCode, string(text)
}

// TLS from version 1.2 on, HTTP/1.1 only, no plain HTTP beside it; a new certificate is served at once, and a connection
// under the old one lives on. The admin server is not for the world, and stays plain.
func TestTLS(t *testing.T) {
	t.Parallel()
	var current atomic.Pointer[tls.Certificate]
	current.Store(selfSigned(t, "first"))
	r := start(t, edge.Options{
		Addr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", Web: echoAddr,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil },
	})
	dial := func(config *tls.Config) (*tls.Conn, error) {
		conn := tls.Client(raw(t, r.Addr()), config)
		return conn, conn.HandshakeContext(t.Context())
	}
	trusting := func(certificate *tls.Certificate) *tls.Config {
		roots := x509.NewCertPool()
		roots.AddCert(certificate.Leaf)
		return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"h2", "http/1.1"}}
	}
	old, err := dial(trusting(current.Load()))
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	if got := old.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("%q was negotiated, want http/1.1", got)
	}
	if status, _ := ask(t, old); status != 200 {
		t.Errorf("status %d over TLS", status)
	}
	weak := trusting(current.Load())
	weak.MinVersion, weak.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := dial(weak); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	current.Store(selfSigned(t, "second"))
	if _, err := dial(trusting(current.Load())); err != nil {
		t.Errorf("handshake after the certificate has changed: %v", err)
	}
	if status, body := ask(t, old); status != 200 {
		t.Errorf("the old connection has died: %d %s", status, body)
	}
	if status, _ := ask(t, raw(t, r.Addr())); status != 400 {
		t.Errorf("plain HTTP gets %d, want 400", status)
	}
	if status, _ := get(t, r.AdminAddr(), "/healthz"); status != 200 {
		t.Errorf("the admin server answers %d to plain HTTP", status)
	}
}

// A PROXY protocol header counts from trusted proxies, who have to send one, and from nobody else.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	header := func(version byte) string {
		text, err := proxyproto.HeaderProxyFromAddrs(version,
			&net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 1}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 2}).Format()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	local, err := (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL}).Format()
	if err != nil {
		t.Fatal(err)
	}
	loopback, other := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")
	for name, c := range map[string]struct {
		off     bool
		trusted netip.Prefix
		header  string
		status  int // 0: the connection is cut
		want    string
	}{
		"version 1":                   {false, loopback, header(1), 200, "203.0.113.7"},
		"version 2":                   {false, loopback, header(2), 200, "203.0.113.7"},
		"unknown":                     {false, loopback, "PROXY UNKNOWN\r\n", 200, "127.0.0.1"},
		"a health check of the proxy": {false, loopback, string(local), 200, "127.0.0.1"},
		"none of a trusted proxy":     {false, loopback, "", 0, ""},
		"nonsense":                    {false, loopback, "PROXY TCP4 x y 1 2\r\n", 0, ""},
		"without end":                 {false, loopback, "PROXY TCP4 " + strings.Repeat("1", 200), 0, ""},
		"of a stranger":               {false, other, header(1), 400, ""},
		"version 2 of a stranger":     {false, other, header(2), 400, ""},
		"none of a stranger":          {false, other, "", 200, "127.0.0.1"},
		"off":                         {true, loopback, header(1), 400, ""},
		"off, and none":               {true, loopback, "", 200, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, edge.Options{
				Addr: "127.0.0.1:0", Web: echoAddr, TrustedProxies: []netip.Prefix{c.trusted}, ProxyProtocol: !c.off,
			})
			conn := raw(t, r.Addr())
			if _, err := io.WriteString(conn, c.header); err != nil {
				t.Fatal(err)
			}
			status, body := ask(t, conn)
			if c.status == 400 && status == 0 {
				return // cut with input that nobody has read: the reset overtook the answer
			}
			if status != c.status || c.status == 200 && body != c.want {
				t.Errorf("%d %q, want %d %q", status, body, c.status, c.want)
			}
		})
	}
}

// Behind the PROXY header comes TLS, where both are spoken; and the header's client cannot claim another by HTTP.
func TestProxyProtocolAndTLS(t *testing.T) {
	t.Parallel()
	certificate := selfSigned(t, "x")
	r := start(t, edge.Options{
		Addr: "127.0.0.1:0", Web: echoAddr, ProxyProtocol: true,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Certificate:    func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
	})
	conn := raw(t, r.Addr())
	if _, err := io.WriteString(conn, "PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n"); err != nil {
		t.Fatal(err)
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // G402: it is our own, of this test
	if _, err := io.WriteString(secure, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "203.0.113.7" {
		t.Errorf("the client is at %q, %v; want 203.0.113.7", body, err)
	}
}

// RELIABILITY row 22: who sends the header of a request byte by byte is cut, and so is who says nothing where a PROXY
// header or TLS is awaited; others are served meanwhile.
func TestThreat22SlowHandshakes(t *testing.T) {
	t.Parallel()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	certificate := selfSigned(t, "x")
	for name, c := range map[string]struct {
		opts    edge.Options
		greeted string // what a client that is honest at first sends
	}{
		"plain":            {edge.Options{}, ""},
		"PROXY header":     {edge.Options{TrustedProxies: loopback, ProxyProtocol: true}, ""},
		"after PROXY":      {edge.Options{TrustedProxies: loopback, ProxyProtocol: true}, "PROXY UNKNOWN\r\n"},
		"TLS handshake":    {edge.Options{Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }}, ""},
		"a second request": {edge.Options{}, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.opts.Addr, c.opts.Web, c.opts.HandshakeTime = "127.0.0.1:0", echoAddr, 200*time.Millisecond
			r := start(t, c.opts)
			attackers := make([]net.Conn, 20)
			for i := range attackers {
				attackers[i] = raw(t, r.Addr())
				go dribble(attackers[i], c.greeted)
			}
			if name == "plain" {
				if status, _ := get(t, r.Addr(), "/healthz"); status != http.StatusOK {
					t.Errorf("an honest client gets %d meanwhile", status)
				}
			}
			for i, conn := range attackers {
				if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("attacker %d is still connected", i)
				}
			}
		})
	}
}

// dribble sends a header without end, until it is cut.
func dribble(conn net.Conn, first string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, err := io.WriteString(conn, first+"G"); err == nil; <-tick.C {
		_, err = io.WriteString(conn, "E")
	}
}
