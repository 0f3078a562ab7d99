package config

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Log is how the service logs.
type Log struct {
	// Level is debug, info, warn or error.
	Level slog.Level `env:"LEVEL"`
	// Format is json or text.
	Format string `env:"FORMAT"`
}

// Logger returns a logger that writes as configured. Values of more than 4 KiB are cut, but for
// stacks.
func (l Log) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level, ReplaceAttr: shorten}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// longest is how many bytes of one value are logged: what clients send may be long.
const longest = 4 << 10

// shorten cuts long texts and errors. The encoders see to it that each entry stays one line.
func shorten(_ []string, attr slog.Attr) slog.Attr {
	value := attr.Value.Resolve()
	text := ""
	switch value.Kind() {
	case slog.KindString:
		text = value.String()
	case slog.KindAny:
		err, ok := value.Any().(error)
		if !ok {
			return attr
		}
		text = err.Error()
	default:
		return attr
	}
	if len(text) <= longest || attr.Key == "stack" {
		return attr
	}
	return slog.String(attr.Key, strings.ToValidUTF8(text[:longest], "")+fmt.Sprintf("… (%d bytes)", len(text)))
}
