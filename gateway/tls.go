package gateway

import (
	"crypto/tls"

	"github.com/fliliy/chat/gateway/internal/certificate"
	"github.com/fliliy/chat/gateway/internal/metrics"
)

// openCertificate reads what the public address speaks TLS with; nil: it is to speak plain HTTP.
func (g *Gateway) openCertificate(
	counts *metrics.Metrics,
) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	files := g.cfg.TLS
	if files.Cert == "" {
		return nil, nil
	}
	var err error
	g.tls, err = certificate.Open(files.Cert, files.Key, certificate.Options{Logger: g.logger, Metrics: counts})
	if err != nil {
		return nil, err
	}
	return g.tls.Certificate, nil
}
