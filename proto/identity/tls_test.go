package identity_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fliliy/chat/proto/identity"
	"github.com/fliliy/chat/proto/identity/identitytest"
)

// shake has a client and a server meet, and returns the serial number that the client saw.
func shake(t *testing.T, server, client *tls.Config) (string, error) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = conn.Write([]byte("hello"))
			err = errors.Join(err, conn.Close())
		}
		served <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if client.ServerName == "" {
		client = client.Clone()
		client.ServerName = "localhost"
	}
	secure := tls.Client(conn, client)
	text, err := io.ReadAll(secure)
	_ = conn.Close()
	if err := errors.Join(err, <-served); err != nil || string(text) != "hello" {
		return "", errors.Join(err, errors.New("no hello"))
	}
	return secure.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// sideOf makes one side's configuration.
func sideOf(t *testing.T, side func() (*tls.Config, error)) *tls.Config {
	t.Helper()
	c, err := side()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestThreat34TLSBothSides(t *testing.T) {
	t.Parallel()
	ours, theirs := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
	server, client, stranger := ours.Issue("server"), ours.Issue("client"), theirs.Issue("stranger")
	plain := identity.TLS{Cert: server.Cert, Key: server.Key}
	for name, tc := range map[string]struct {
		server, client identity.TLS
		good           bool
	}{
		"both known":                       {server, client, true},
		"the client shows nothing":         {server, identity.TLS{CA: ours.CA()}, false},
		"nothing is asked of the client":   {plain, identity.TLS{CA: ours.CA()}, true},
		"a client of another authority":    {server, identity.TLS{CA: ours.CA(), Cert: stranger.Cert, Key: stranger.Key}, false},
		"a server of another authority":    {stranger, identity.TLS{CA: ours.CA(), Cert: stranger.Cert, Key: stranger.Key}, false},
		"the system's authorities do not ": {plain, identity.TLS{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := shake(t, sideOf(t, tc.server.Server), sideOf(t, tc.client.Client))
			if (err == nil) != tc.good {
				t.Errorf("error %v, want good %v", err, tc.good)
			}
		})
	}
	if _, err := shake(t, sideOf(t, server.Server), sideOf(t, server.Self)); err != nil {
		t.Errorf("the server asks itself: %v", err)
	}
	if _, err := shake(t, sideOf(t, ours.Issue("another").Server), sideOf(t, server.Self)); err == nil {
		t.Error("another server is taken for this one")
	}
}

// TestTLSIsReadAgain replaces the certificate of a server that runs: new connections meet the new one.
func TestTLSIsReadAgain(t *testing.T) {
	t.Parallel()
	authority := identitytest.NewAuthority(t)
	files := authority.Issue("server")
	server, client := sideOf(t, files.Server), sideOf(t, identity.TLS{CA: files.CA}.Client)
	server.ClientAuth = tls.NoClientCert
	first, err := shake(t, server, client)
	if err != nil {
		t.Fatal(err)
	}
	authority.Issue("server")
	second, err := shake(t, server, client)
	if err != nil || second == first {
		t.Errorf("after the change the certificate is %s, error %v; it was %s", second, err, first)
	}
	if err := os.WriteFile(files.Cert, []byte("half a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third, err := shake(t, server, client); err != nil || third != second {
		t.Errorf("with a broken file the certificate is %s, error %v; want the last good one", third, err)
	}
}

func TestTLSFaults(t *testing.T) {
	t.Parallel()
	good := identitytest.NewAuthority(t).Issue("server")
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string]identity.TLS{
		"a server needs a certificate": {CA: good.CA},
		"come together":                {Cert: good.Cert},
		"no such file":                 {Cert: good.Cert, Key: good.Key, CA: junk + "-not"},
		"no certificate in":            {Cert: good.Cert, Key: good.Key, CA: junk},
		"with its key":                 {Cert: good.Cert, Key: junk},
	} {
		if _, err := files.Server(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q in it", files, err, want)
		}
	}
	if (identity.TLS{}).On() || !good.On() {
		t.Error("On does not say whether anything is named")
	}
}
