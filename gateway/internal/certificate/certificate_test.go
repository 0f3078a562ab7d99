package certificate_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fliliy/chat/gateway/internal/certificate"
	"github.com/fliliy/chat/gateway/internal/metrics"
)

// pair makes a certificate that names itself, and its key, both PEM.
func pair(t *testing.T, name string, life time.Duration) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// files is a folder with a pair.
type files struct {
	t         *testing.T
	cert, key string
}

func newFiles(t *testing.T) files {
	t.Helper()
	folder := t.TempDir()
	return files{t, filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")}
}

func (f files) write(cert, key []byte) {
	f.t.Helper()
	for path, text := range map[string][]byte{f.cert: cert, f.key: key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
}

func served(t *testing.T, f *certificate.Files) string {
	t.Helper()
	got, err := f.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return got.Leaf.Subject.CommonName
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	cert, key := pair(t, "a", time.Hour)
	_, other := pair(t, "b", time.Hour)
	old, oldKey := pair(t, "old", -time.Minute)
	for name, c := range map[string]struct {
		cert, key []byte
		want      string
	}{
		"nothing":         {nil, nil, "no such file"},
		"no PEM":          {[]byte("x"), key, "are no pair"},
		"another's key":   {cert, other, "are no pair"},
		"the other way":   {key, cert, "are no pair"},
		"an expired pair": {old, oldKey, "has expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFiles(t)
			if c.cert != nil {
				f.write(c.cert, c.key)
			}
			err := certificate.Check(f.cert, f.key)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), f.cert) {
				t.Errorf("Check: %v, want an error with %q that names the file", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

// A renewed pair is served; a broken one is told once, counted once, and changes nothing; a good one after it is served.
func TestRunFollowsTheFiles(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	first, firstKey := pair(t, "first", time.Hour)
	f.write(first, firstKey)
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		counts := metrics.New(registry)
		var logged bytes.Buffer
		current, err := certificate.Open(f.cert, f.key, certificate.Options{
			Logger: slog.New(slog.NewTextHandler(&logged, nil)), Metrics: counts,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- current.Run(ctx) }()
		second, secondKey := pair(t, "second", 365*24*time.Hour)
		for _, step := range []struct {
			cert, key []byte
			want      string
		}{
			{first, firstKey, "first"},
			{second, firstKey, "first"}, // half written
			{second, secondKey, "second"},
			{[]byte("x"), secondKey, "second"},
		} {
			f.write(step.cert, step.key)
			<-time.After(3 * certificate.Every)
			synctest.Wait()
			if got := served(t, current); got != step.want {
				t.Errorf("%s is served, want %s", got, step.want)
			}
		}
		if err := os.Remove(f.key); err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * certificate.Every)
		if got := served(t, current); got != "second" {
			t.Errorf("%s is served without files, want second", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := strings.Count(logged.String(), "cannot be used"); got != 3 {
			t.Errorf("%d warnings, want one of each broken pair:\n%s", got, &logged)
		}
		if strings.Contains(logged.String(), "PRIVATE") {
			t.Errorf("the log shows a key:\n%s", &logged)
		}
		wantCounts(t, registry, counts)
	})
}

// wantCounts holds what the steps above come to.
func wantCounts(t *testing.T, registry *prometheus.Registry, counts *metrics.Metrics) {
	t.Helper()
	left := time.Until(time.Unix(int64(testutil.ToFloat64(counts.CertificateExpires)), 0))
	if left < 364*24*time.Hour || left > 366*24*time.Hour {
		t.Errorf("the certificate in use is said to last %v, want the second's year", left)
	}
	const want = `
# HELP fliliy_gateway_certificate_loads_total TLS certificates read from changed files, by result.
# TYPE fliliy_gateway_certificate_loads_total counter
fliliy_gateway_certificate_loads_total{result="failed"} 3
fliliy_gateway_certificate_loads_total{result="loaded"} 2
fliliy_gateway_certificate_loads_total{result="other"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "fliliy_gateway_certificate_loads_total"); err != nil {
		t.Error(err)
	}
}
