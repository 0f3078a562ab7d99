package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/config"
)

// healthTimeout is shorter than any sensible interval between two checks.
const healthTimeout = 3 * time.Second

func checkHealth(ctx context.Context, cfg config.Config, _ []string, out io.Writer) error {
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return fmt.Errorf("%sADDR %q is not host:port", config.Prefix, cfg.Addr)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost" // it listens everywhere; ask it here
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dialer(cfg)}
	url := "http://" + net.JoinHostPort(host, port) + "/healthz"
	if cfg.TLS.Cert != "" {
		url = "https" + url[len("http"):]
		if transport.TLSClientConfig, err = trustOwn(cfg.TLS.Cert); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s answers %s", url, response.Status)
	}
	_, err = fmt.Fprintln(out, "healthy")
	return err
}

// dialer begins connections as the gateway wants them: where this machine is one of its proxies, with a PROXY protocol
// header that says nothing.
func dialer(cfg config.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil || !cfg.ProxyProtocol {
			return conn, err
		}
		local, err := netip.ParseAddrPort(conn.LocalAddr().String())
		trusted := func(proxies netip.Prefix) bool { return proxies.Contains(local.Addr().Unmap()) }
		if err == nil && slices.ContainsFunc(cfg.TrustedProxies, trusted) {
			_, err = io.WriteString(conn, "PROXY UNKNOWN\r\n")
		}
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}

// trustOwn trusts the gateway's own certificate, and no other, under the name that it has: the address that is asked is
// hardly among them. Where the file has just been renewed and the gateway still serves the old one, a check fails once.
func trustOwn(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file) //nolint:gosec // G304: the operator names it
	if err != nil {
		return nil, fmt.Errorf("read the gateway's certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	own, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the gateway's certificate: %w", err)
	}
	name := ""
	switch {
	case len(own.DNSNames) > 0:
		name = strings.Replace(own.DNSNames[0], "*", "health", 1)
	case len(own.IPAddresses) > 0:
		name = own.IPAddresses[0].String()
	}
	roots := x509.NewCertPool()
	roots.AddCert(own)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: name}, nil
}
