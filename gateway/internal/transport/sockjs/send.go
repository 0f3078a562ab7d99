package sockjs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// bodyFactor is how much larger than the largest message the body of a request may be: for JSON escapes, and for
// several messages together.
const bodyFactor = 4

var (
	errNoPayload = errors.New("no payload")
	errTooLarge  = errors.New("message too large")
)

// send takes messages of a client. While the session has much to read, the answer waits, and with it the client.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, c *Conn, jsonp bool) {
	select {
	case c.sending <- struct{}{}: // one body at a time is held, in the order in which requests came
		defer func() { <-c.sending }()
	case <-r.Context().Done():
		return
	}
	messages, err := h.readMessages(w, r, jsonp, frameLimit(h.opts.Tuning.MaxMessage, c.isHeard()))
	if err == nil {
		err = c.deliver(r.Context(), messages)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil && jsonp:
		w.Header().Set("Content-Type", plainText)
		_, _ = io.WriteString(w, "ok") // the client is gone: nobody to tell
	case err == nil:
		w.Header().Set("Content-Type", plainText)
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, errNoPayload):
		http.Error(w, "Payload expected.", http.StatusInternalServerError)
	case errors.Is(err, errBroken):
		http.Error(w, "Broken JSON encoding.", http.StatusInternalServerError)
	case errors.As(err, &tooLarge), errors.Is(err, errTooLarge):
		_ = c.Close(transport.CloseTooLarge, fmt.Sprintf("message above %d bytes", h.opts.Tuning.MaxMessage))
		http.Error(w, "message too large", http.StatusRequestEntityTooLarge)
	default: // the session is over, or the client gone
		http.NotFound(w, r)
	}
}

func (h *Handler) readMessages(w http.ResponseWriter, r *http.Request, jsonp bool, limit int) ([][]byte, error) {
	var body bytes.Buffer // it grows with what comes, not with what is announced
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, int64(limit))); err != nil {
		return nil, fmt.Errorf("read the client's messages: %w", err)
	}
	payload := body.Bytes()
	if jsonp && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(body.String())
		if err != nil {
			return nil, errBroken
		}
		payload = []byte(form.Get("d"))
	}
	if len(payload) == 0 {
		return nil, errNoPayload
	}
	messages, err := parseMessages(payload)
	if longest(messages) > h.opts.Tuning.MaxMessage {
		return nil, errTooLarge
	}
	return messages, err
}

// longest is the size of the largest message.
func longest(messages [][]byte) (size int) {
	for _, message := range messages {
		size = max(size, len(message))
	}
	return size
}
