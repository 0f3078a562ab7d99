package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway"
)

// holder is a session under one token, of a client that does not come back. It reads until it is closed.
type holder struct {
	socket *websocket.Conn
	over   chan struct{} // closed when the socket is; what stands below is final then

	ended time.Time
	code  string    // of the ERROR that came last; "" is none
	heard time.Time // when a RECEIPT came last
}

// hold opens a session at a gateway and follows the user's errors. A holder that talks asks for a RECEIPT five times a
// second; the others are silent.
func hold(ctx context.Context, socketURL, token string, talks bool) (*holder, error) {
	socket, _, err := websocket.Dial(ctx, socketURL, nil) //nolint:bodyclose // Dial closes it
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", socketURL, err)
	}
	socket.SetReadLimit(maxMessage)
	h := &holder{socket: socket, over: make(chan struct{})}
	hello := appendFrame(nil, "CONNECT", nil, "accept-version", "1.2", "host", "x", "heart-beat", "0,0", "token", token)
	hello = appendFrame(hello, "SUBSCRIBE", nil, "id", "e", "destination", "/user/queue/errors", "receipt", "live")
	if err := socket.Write(ctx, websocket.MessageText, hello); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", socketURL, err)
	}
	for h.heard.IsZero() {
		if err := h.read(ctx); err != nil {
			_ = socket.CloseNow()
			return nil, fmt.Errorf("connect to %s: refused with %q: %w", socketURL, h.code, err)
		}
	}
	go h.listen(ctx)
	if talks {
		go h.talk(ctx)
	}
	return h, nil
}

// read takes one message in.
func (h *holder) read(ctx context.Context) error {
	_, data, err := h.socket.Read(ctx)
	if err != nil {
		return err
	}
	for len(data) > 0 {
		f, rest, err := parseFrame(data)
		if err != nil {
			return err
		}
		switch f.command {
		case "ERROR":
			h.code = f.get("message")
		case "RECEIPT":
			h.heard = time.Now()
		}
		data = rest
	}
	return nil
}

func (h *holder) listen(ctx context.Context) {
	defer close(h.over)
	for h.read(ctx) == nil {
		continue // until it is closed
	}
	h.ended = time.Now()
}

func (h *holder) talk(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	frame := appendFrame(nil, "SEND", []byte(`{"status":"online"}`), "destination", "/app/user/status", "receipt", "t")
	for {
		select {
		case <-h.over:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			if h.socket.Write(ctx, websocket.MessageText, frame) != nil {
				return
			}
		}
	}
}

// renew shows a new token.
func (h *holder) renew(ctx context.Context, token string) error {
	frame := appendFrame(nil, "SEND", []byte(`{"token":"`+token+`"}`), "destination", "/app/user/token", "receipt", "n")
	return h.socket.Write(ctx, websocket.MessageText, frame)
}

// isOver says whether the session has ended.
func (h *holder) isOver() bool {
	select {
	case <-h.over:
		return true
	default:
		return false
	}
}

// holders opens so many sessions of a user at each gateway, every second of which talks.
func (n *nemesis) holders(ctx context.Context, user string, each int, life time.Duration) ([]*holder, error) {
	token, err := gateway.SignToken(n.secret, user, life)
	if err != nil {
		return nil, err
	}
	var all []*holder
	for i := range each * len(n.gateways) {
		h, err := hold(ctx, n.socketOf(n.gateways[i%len(n.gateways)]), token, i/len(n.gateways)%2 == 1)
		if err != nil {
			dismiss(all)
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// dismiss ends sessions that are not over.
func dismiss(all []*holder) {
	for _, h := range all {
		_ = h.socket.CloseNow()
		<-h.over
	}
}

// awaitOver waits until all sessions have ended, no longer than told, and returns how many have not.
func awaitOver(ctx context.Context, all []*holder, most time.Duration) (left int) {
	limit := time.NewTimer(most)
	defer limit.Stop()
	for _, h := range all {
		select {
		case <-h.over:
		case <-ctx.Done():
			left++
		case <-limit.C:
			limit.Reset(0) // the others are only looked at
			if !h.isOver() {
				left++
			}
		}
	}
	return left
}
