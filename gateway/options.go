package gateway

import (
	"log/slog"
	"net/http"
)

// Option changes how New builds a gateway.
type Option func(*options)

type options struct {
	logger *slog.Logger
	routes map[string]http.Handler
}

// WithLogger sets the logger; without it nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return func(o *options) { o.logger = logger }
}

// WithRoute serves one more pattern of http.ServeMux under /api/v1/ on the public address, such as
// "POST /api/v1/dev/token".
func WithRoute(pattern string, handler http.Handler) Option {
	return func(o *options) { o.routes[pattern] = handler }
}
