package lb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/deploy/allinone"
	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/config"
)

// selfSigned writes a certificate for this machine and its key, and returns who trusts it.
func selfSigned(t *testing.T) (config.TLS, *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	files := config.TLS{Cert: filepath.Join(folder, "tls.crt"), Key: filepath.Join(folder, "tls.key")}
	for path, block := range map[string]*pem.Block{
		files.Cert: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return files, roots
}

// startGateway runs a gateway with TLS that trusts the PROXY protocol of this machine, and lets each address connect
// once. It returns its port at 127.0.1.1 and who trusts its certificate.
func startGateway(t *testing.T) (port int, roots *x509.CertPool) {
	t.Helper()
	stack, err := allinone.Start(t.Context(), allinone.Options{
		GatewayAddrs: []string{"127.0.0.1:0"}, DataDir: t.TempDir(), ChatsvcAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", RedisAddr: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Stop() })
	cfg := config.Default()
	cfg.Addr, cfg.AdminAddr = "127.0.1.1:0", ""
	cfg.ChatsvcTarget, cfg.RedisURL, cfg.NATS.URL = stack.Chatsvc.Addr(), stack.RedisURL, stack.NATSURL
	cfg.JWT.Secret = "0123456789abcdef0123456789abcdef"
	cfg.TLS, roots = selfSigned(t)
	cfg.ProxyProtocol, cfg.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.Rates = config.Rates{AddressConnect: config.Rate{PerSecond: 0.001, Burst: 1}}
	cfg.Limits.DrainGrace, cfg.Limits.DrainTime = 0, time.Second
	gw, err := gateway.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- gw.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("gateway: %v", err)
		}
	})
	_, number, err := net.SplitHostPort(gw.Addr())
	if err != nil {
		t.Fatal(err)
	}
	port, err = strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return port, roots
}

// TLS passes through to the gateway, which hears of HAProxy whose each connection is, and limits that one.
func TestTLSPassesThrough(t *testing.T) {
	t.Parallel()
	port, roots := startGateway(t)
	names := startDNS(t)
	names.set([4]byte{127, 0, 1, 1})
	l := startVariant(t, "haproxy-tcp.cfg", "bind :8443", names.conn.LocalAddr().String(), port)
	from := func(host byte) (int, error) {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, host)}}
		transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots}}
		defer transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		//nolint:bodyclose // Dial closes it
		conn, response, err := websocket.Dial(ctx, fmt.Sprintf("wss://%s/ws", l.public),
			&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if conn != nil {
			_ = conn.CloseNow()
		}
		if response == nil {
			return 0, err
		}
		return response.StatusCode, err
	}
	await(t, "the gateway is in service", func() bool {
		status, _ := from(9)
		return status == http.StatusSwitchingProtocols
	})
	if status, err := from(9); status != http.StatusTooManyRequests {
		t.Errorf("the second connection of an address: %d %v, want 429", status, err)
	}
	if status, err := from(10); status != http.StatusSwitchingProtocols {
		t.Errorf("the first connection of another address: %d %v, want 101", status, err)
	}
}
