package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
)

// TLS names the files by which one side of a connection between services proves who it is, and knows the other: PEM. Cert
// and Key are read again when they change; a new CA needs a restart. The tags are the ends of environment variables.
type TLS struct {
	// CA is whom the certificate of the other side must come from. Of a server: clients must show one; empty: they need
	// none. Of a client: empty is the system's authorities.
	CA string `env:"CA"`
	// Cert and Key are the own certificate, with its chain, and its key. A server needs them; a client where it is asked.
	Cert string `env:"CERT"`
	Key  string `env:"KEY"`
}

// On says whether anything is named.
func (t TLS) On() bool { return t != TLS{} }

// Server returns what a server needs. Errors name the file.
func (t TLS) Server() (*tls.Config, error) {
	if t.Cert == "" {
		return nil, errors.New("a server needs a certificate: set CERT and KEY")
	}
	pair, pool, err := t.load()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: pair.ofServer}
	if pool != nil {
		c.ClientCAs, c.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// Client returns what a client needs. The name of the server is for the caller to set, where its library does not. Errors
// name the file.
func (t TLS) Client() (*tls.Config, error) {
	pair, pool, err := t.load()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	if pair != nil {
		c.GetClientCertificate = pair.ofClient
	}
	return c, nil
}

// Self returns what a client needs that asks the very server of these files, on its own machine: it trusts that one
// certificate, whatever name it is for, and shows it where the server asks for one.
func (t TLS) Self() (*tls.Config, error) {
	pair, _, err := t.load()
	if err != nil {
		return nil, err
	}
	if pair == nil {
		return nil, errors.New("a server needs a certificate: set CERT and KEY")
	}
	own, err := pair.current()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool(), GetClientCertificate: pair.ofClient}
	c.RootCAs.AddCert(own.Leaf)
	if names := own.Leaf.DNSNames; len(names) > 0 {
		c.ServerName = names[0]
	} else if ips := own.Leaf.IPAddresses; len(ips) > 0 {
		c.ServerName = ips[0].String()
	}
	return c, nil
}

// load reads the files once, so that one that is wrong is an error at the start.
func (t TLS) load() (*keyPair, *x509.CertPool, error) {
	if (t.Cert == "") != (t.Key == "") {
		return nil, nil, errors.New("CERT and KEY come together; set both or none")
	}
	var pair *keyPair
	if t.Cert != "" {
		pair = &keyPair{cert: t.Cert, key: t.Key}
		if _, err := pair.current(); err != nil {
			return nil, nil, err
		}
	}
	if t.CA == "" {
		return pair, nil, nil
	}
	text, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, nil, fmt.Errorf("read the authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, nil, fmt.Errorf("there is no certificate in %s: want PEM blocks CERTIFICATE", t.CA)
	}
	return pair, pool, nil
}

// keyPair is a certificate with its key, as the files have it now. Safe for concurrent use.
type keyPair struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	seen   [2]os.FileInfo // the files, when they were read
}

// current looks at the files at every handshake, and reads them when they have changed. While they do not fit together,
// as one of them is being replaced, the last pair goes on.
func (p *keyPair) current() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found [2]os.FileInfo
	changed := p.loaded == nil
	for i, file := range []string{p.cert, p.key} {
		found[i], _ = os.Stat(file) // what is gone has changed, and reading it says why
		changed = changed || !same(found[i], p.seen[i])
	}
	if !changed {
		return p.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	switch {
	case err == nil:
		p.loaded, p.seen = &pair, found
	case p.loaded == nil:
		return nil, fmt.Errorf("read the certificate %s with its key %s: %w", p.cert, p.key, err)
	}
	return p.loaded, nil
}

// same says whether a file is the one that was read.
func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime())
}

func (p *keyPair) ofServer(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current() }

func (p *keyPair) ofClient(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.current() }
