package presence

import (
	"log/slog"
	"time"
)

// NewPatient makes a reader that waits as long as a busy machine may need for an answer.
func NewPatient(url string) (*Reader, error) {
	return newReader(url, nil, slog.New(slog.DiscardHandler), 30*time.Second)
}
