// Package certificate keeps the TLS certificate of a server as its files have it: it reads them again and again, so that
// a renewed pair serves new connections without a restart, while those that are open live on. A pair that cannot be used
// changes nothing but a count and a line of the log. It knows no listener; the composition root runs it, edge asks it.
package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/fliliy/chat/gateway/internal/metrics"
)

// Every is how often Run looks at the files. Their content counts, not their times: an orchestrator may replace a folder
// of links, and a program may write the two files one after the other.
const Every = 5 * time.Second

// Options of Files. Both may be nil: then nothing is logged, nothing counted.
type Options struct {
	Logger  *slog.Logger
	Metrics *metrics.Metrics
}

// Files are a certificate chain and its key, both PEM. Certificate may be called by any goroutine; Run and Reload belong
// to one.
type Files struct {
	cert, key string
	opts      Options
	current   atomic.Pointer[tls.Certificate]
	used      [2][]byte // the content of the files that current was made of
	told      string    // the error that was returned last, while it holds
}

// Open reads a pair for the first time; one that is no good is an error here.
func Open(cert, key string, opts Options) (*Files, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Files{cert: cert, key: key, opts: opts}
	return f, f.Reload()
}

// Check says whether a pair could be served.
func Check(cert, key string) error {
	_, err := Open(cert, key, Options{})
	return err
}

// Certificate is tls.Config.GetCertificate.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.current.Load(), nil
}

// Run looks at the files until ctx ends.
func (f *Files) Run(ctx context.Context) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := f.Reload(); err != nil {
			f.opts.Logger.ErrorContext(ctx, "the new TLS certificate cannot be used, the old one goes on: mend the files",
				"certificate", f.cert, "key", f.key, "error", err)
		}
	}
}

// Reload takes the pair if it has changed since it was read last. An error means that it cannot be used, and that the
// one before still is; it is told once, until something changes.
func (f *Files) Reload() error {
	pair, err := f.read()
	if err != nil {
		if err.Error() == f.told {
			return nil
		}
		f.told = err.Error()
		f.count(failed)
		return err
	}
	f.told = ""
	if pair == nil {
		return nil
	}
	f.current.Store(pair)
	f.count(loaded)
	if f.opts.Metrics != nil {
		f.opts.Metrics.CertificateExpires.Set(float64(pair.Leaf.NotAfter.Unix()))
	}
	f.opts.Logger.Info("TLS certificate loaded", "certificate", f.cert, "expires", pair.Leaf.NotAfter)
	return nil
}

// read returns the pair of the files, or nil where it is the one in use.
func (f *Files) read() (*tls.Certificate, error) {
	var texts [2][]byte
	for i, path := range []string{f.cert, f.key} {
		text, err := os.ReadFile(path) //nolint:gosec // G304: the operator names it
		if err != nil {
			return nil, fmt.Errorf("read the TLS certificate: %w", err)
		}
		texts[i] = text
	}
	if bytes.Equal(texts[0], f.used[0]) && bytes.Equal(texts[1], f.used[1]) {
		return nil, nil
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, fmt.Errorf("certificate %s and key %s are no pair: %w", f.cert, f.key, err)
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		return nil, fmt.Errorf("certificate %s has expired at %s", f.cert, end.UTC().Format(time.RFC3339))
	}
	f.used = texts
	return &pair, nil
}

// The outcomes of a load, as they are counted.
const (
	loaded = "loaded"
	failed = "failed"
)

func (f *Files) count(outcome string) {
	if f.opts.Metrics != nil {
		f.opts.Metrics.CertificateLoads.Inc(outcome)
	}
}
