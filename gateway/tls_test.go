package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pires/go-proxyproto"

	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// renew writes a certificate for this machine and its key, and returns who trusts it.
func (r *rig) renew(files config.TLS) *x509.CertPool {
	r.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		r.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		r.t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		files.Cert: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return roots
}

// secure opens a session over TLS.
func (r *rig) secure(roots *x509.CertPool) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	r.t.Cleanup(transport.CloseIdleConnections)
	//nolint:bodyclose // Dial closes it
	conn, _, err := websocket.Dial(ctx, "wss://"+r.Addr()+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"Origin": {"https://" + r.Addr()}},
	})
	return conn, err
}

// A certificate that is renewed while the gateway runs is served to who comes; sessions from before live on, and a page
// of our own that came without TLS may not connect to the address with it.
func TestTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	folder := t.TempDir()
	r.cfg.TLS = config.TLS{Cert: filepath.Join(folder, "tls.crt"), Key: filepath.Join(folder, "tls.key")}
	first := r.renew(r.cfg.TLS)
	r.start()
	ws, err := r.secure(first)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, ws: ws, decoder: stomp.NewDecoder(stomp.DefaultLimits)}
	c.send("CONNECT\naccept-version:1.2\nAuthorization:" + r.token("alice") + "\n\n")
	if f := c.next(); f.Command != stomp.CmdConnected {
		t.Fatalf("the answer to CONNECT is %s %v", f.Command, f.Header)
	}
	second := r.renew(r.cfg.TLS)
	r.eventually("the renewed certificate is served", func() bool {
		ws, err := r.secure(second)
		if err == nil {
			_ = ws.CloseNow()
		}
		return err == nil
	})
	if _, err := r.secure(first); err == nil {
		t.Error("the old certificate is served, too")
	}
	c.send("SUBSCRIBE\nid:e\ndestination:/user/queue/errors\nreceipt:s\n\n")
	c.want(stomp.CmdReceipt, "receipt-id", "s")
	//nolint:bodyclose // Dial closes it
	_, response, err := websocket.Dial(t.Context(), "wss://"+r.Addr()+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: second}}},
		HTTPHeader: http.Header{"Origin": {"http://" + r.Addr()}},
	})
	if err == nil || response == nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("a page without TLS: %v, want 403", err)
	}
}

func (r *rig) token(user string) string {
	r.t.Helper()
	token, err := gateway.SignToken(secret, user, time.Hour)
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// Limits of addresses are of the address that a trusted proxy names by the PROXY protocol.
func TestProxyProtocolNamesTheLimitedAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.ProxyProtocol, r.cfg.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	r.cfg.Rates = config.Rates{AddressConnect: config.Rate{PerSecond: 0.001, Burst: 1}}
	r.start()
	from := func(ip string) int {
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			header := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}, conn.RemoteAddr())
			_, err = header.WriteTo(conn)
			return conn, err
		}
		transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
		//nolint:bodyclose // Dial closes it
		conn, response, err := websocket.Dial(t.Context(), "ws://"+r.Addr()+"/ws", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: transport},
		})
		if err == nil {
			_ = conn.CloseNow()
		}
		if response == nil {
			t.Fatal(err)
		}
		return response.StatusCode
	}
	for _, c := range []struct {
		ip     string
		status int
	}{{"203.0.113.7", 101}, {"203.0.113.7", 429}, {"203.0.113.8", 101}} {
		if got := from(c.ip); got != c.status {
			t.Errorf("a connection from %s gets %d, want %d", c.ip, got, c.status)
		}
	}
}
