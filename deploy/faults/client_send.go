package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// minRetry is the shortest wait after a refusal that says to try again.
const minRetry = 100 * time.Millisecond

// RefusedError is a refusal of a message for good.
type RefusedError struct {
	Code string // of the contract
	Text string
}

func (e *RefusedError) Error() string { return e.Code + ": " + e.Text }

// Send sends a TEXT message with a fresh clientMessageId and returns what its RECEIPT said. After a loss, and while the
// system says to try again, it repeats the message under the same id, until ctx ends. An error is a *RefusedError, or
// ctx's own: then the outcome is unknown.
func (c *Client) Send(ctx context.Context, room int64, content string) (Receipt, error) {
	return c.SendAs(ctx, room, content, c.cfg.History.NewMessageID())
}

// SendCopies sends one message through each of the clients at once, which are all of one user; naming a client twice
// sends it twice. It returns what the RECEIPTs said, in the order of the clients.
func SendCopies(ctx context.Context, room int64, content string, clients ...*Client) ([]Receipt, error) {
	id := clients[0].cfg.History.NewMessageID()
	receipts := make([]Receipt, len(clients))
	failed := make([]error, len(clients))
	var sending sync.WaitGroup
	for i, c := range clients {
		sending.Go(func() { receipts[i], failed[i] = c.SendAs(ctx, room, content, id) })
	}
	sending.Wait()
	return receipts, errors.Join(failed...)
}

// SendAs is Send under a given clientMessageId.
func (c *Client) SendAs(ctx context.Context, room int64, content, clientMessageID string) (Receipt, error) {
	body, err := json.Marshal(map[string]string{"type": "TEXT", "content": content, "clientMessageId": clientMessageID})
	if err != nil {
		return Receipt{}, fmt.Errorf("encode a message: %w", err)
	}
	sent := c.cfg.History.Invoke(room, c.cfg.User, clientMessageID)
	inDoubt := false // an attempt may have been stored
	for {
		r, err := c.attempt(ctx, sent, body)
		switch {
		case err != nil:
			sent.Info(err.Error())
			return Receipt{}, fmt.Errorf("send to room %d: %w", room, err)
		case r.ok:
			sent.OK(r.receipt)
			return r.receipt, nil
		case r.again:
			inDoubt = true
		default:
			if inDoubt {
				sent.Info(r.refused.Code)
			} else {
				sent.Fail(r.refused.Code)
			}
			return Receipt{}, fmt.Errorf("send to room %d: %w", room, r.refused)
		}
	}
}

// result is what came of one attempt.
type result struct {
	ok      bool
	receipt Receipt
	again   bool // it has to be repeated
	refused *RefusedError
}

// attempt sends a message once, and waits as long as the answer says before the next attempt. An error is ctx's.
func (c *Client) attempt(ctx context.Context, sent *Send, body []byte) (result, error) {
	var l *link
	if err := c.await(ctx, func() bool { l = c.link; return l != nil }); err != nil {
		return result{}, err
	}
	began := time.Now()
	r, err := l.exchange(ctx, sent.Room, body)
	sent.attempted(time.Since(began), err != nil || r.ok || r.refused != nil)
	if err != nil {
		return result{}, err
	}
	if !r.again || r.refused == nil {
		return r.result, nil
	}
	timer := time.NewTimer(max(minRetry, r.wait) + rand.N(minRetry)) //nolint:gosec // it spreads load
	defer timer.Stop()
	select {
	case <-timer.C:
		return r.result, nil
	case <-ctx.Done():
		return result{}, ctx.Err()
	}
}

type exchanged struct {
	result
	wait time.Duration
}

// exchange sends a SEND and waits for its answer. An error is ctx's.
func (l *link) exchange(ctx context.Context, room int64, body []byte) (exchanged, error) {
	lost := exchanged{result: result{again: true}}
	done := make(chan exchanged, 1)
	receipt := l.ask(func(r reply) { done <- read(r) })
	if receipt == "" {
		return lost, nil
	}
	message := appendFrame(nil, "SEND", body, "destination", "/app/chat/"+strconv.FormatInt(room, 10)+"/send",
		"content-type", "application/json", "receipt", receipt)
	_ = l.write(message) // an error ends the connection, which is answered
	select {
	case r := <-done:
		return r, nil
	case <-ctx.Done():
		return exchanged{}, ctx.Err()
	}
}

// read says what the answer of a SEND means.
func read(r reply) exchanged {
	if r.lost {
		return exchanged{result: result{again: true}}
	}
	if r.code == "" {
		f := r.receipt
		seq, err := strconv.ParseInt(f.get("seq"), 10, 64)
		if err != nil || f.get("message-id") == "" {
			return exchanged{result: result{refused: &RefusedError{"INTERNAL", "a RECEIPT without message-id and seq"}}}
		}
		return exchanged{result: result{ok: true, receipt: Receipt{
			MessageID: f.get("message-id"), Seq: seq, Duplicate: f.get("duplicate") == "true",
		}}}
	}
	out := exchanged{wait: r.retry}
	out.refused = &RefusedError{r.code, r.text}
	out.again = r.code == "UNAVAILABLE" || r.code == "INTERNAL" || r.code == "RATE_LIMITED"
	return out
}
