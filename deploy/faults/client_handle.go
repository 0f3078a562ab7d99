package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// pageLimit is how many events are asked for at once after a GAP.
const pageLimit = 1000

// handle takes one frame.
func (l *link) handle(ctx context.Context, f frame) error {
	switch f.command {
	case "RECEIPT":
		if !l.answered(f.get("receipt-id"), reply{receipt: f}) {
			return &fatalError{fmt.Errorf("a RECEIPT came that nobody asked for: %q", f.get("receipt-id"))}
		}
		return nil
	case "MESSAGE":
		return l.message(ctx, f)
	case "ERROR":
		code := f.get("code")
		l.client.count(code)
		l.answered(f.get("receipt-id"), reply{code: code, text: string(f.body)})
		return nil // the close follows
	}
	return &fatalError{fmt.Errorf("%s came after CONNECTED", f.command)}
}

func (l *link) message(ctx context.Context, f frame) error {
	id := f.get("subscription")
	kind := f.get("event")
	switch {
	case kind == "ERROR":
		return l.refusal(f.body)
	case kind == "DRAIN":
		return l.drain(f.body)
	case id == errorsID:
		return &fatalError{fmt.Errorf("event %q came on the errors queue", kind)}
	}
	c := l.client
	c.mu.Lock()
	room := l.subs[id]
	if f.get("seq") == "" {
		c.counts.States++
	}
	c.mu.Unlock()
	switch {
	case room == nil:
		c.cfg.History.Stray()
		return nil
	case kind == "GAP":
		return l.page(ctx, room, f.body)
	case kind == "USER_STATUS":
		return l.client.cfg.History.status(f.body)
	case f.get("seq") == "":
		return nil
	}
	return l.deliver(room, f.body, false)
}

// refusal takes an ERROR event.
func (l *link) refusal(body []byte) error {
	var refused struct {
		Code         string `json:"code"`
		Message      string `json:"message"`
		Destination  string `json:"destination"`
		ReceiptID    string `json:"receiptId"`
		RetryAfterMs int64  `json:"retryAfterMs"`
	}
	if err := json.Unmarshal(body, &refused); err != nil {
		return &fatalError{fmt.Errorf("read an ERROR event: %w", err)}
	}
	l.client.count(refused.Code)
	told := l.answered(refused.ReceiptID, reply{
		code: refused.Code, text: refused.Message, retry: time.Duration(refused.RetryAfterMs) * time.Millisecond,
	})
	if !told && refused.Code == "FORBIDDEN" {
		l.evicted(refused.Destination)
	}
	return nil
}

func (l *link) drain(body []byte) error {
	var leaving struct {
		ReconnectAfterMs int64 `json:"reconnectAfterMs"`
	}
	if err := json.Unmarshal(body, &leaving); err != nil {
		return &fatalError{fmt.Errorf("read a DRAIN event: %w", err)}
	}
	l.drained = true
	l.comeBack = time.Now().Add(time.Duration(leaving.ReconnectAfterMs) * time.Millisecond)
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	l.client.counts.Drains++
	return nil
}

// page reads by REST what a GAP left out, before anything else is read. Where that fails, the connection is given up:
// the next one asks again from the last event that came.
func (l *link) page(ctx context.Context, f *follow, body []byte) error {
	var gap struct {
		FromSeq int64 `json:"fromSeq"`
		ToSeq   int64 `json:"toSeq"`
	}
	if err := json.Unmarshal(body, &gap); err != nil {
		return &fatalError{fmt.Errorf("read a GAP event: %w", err)}
	}
	c := l.client
	c.mu.Lock()
	c.counts.Gaps++
	c.mu.Unlock()
	for at := gap.FromSeq - 1; at < gap.ToSeq; {
		page, err := c.api.After(ctx, f.room, at, int(min(pageLimit, gap.ToSeq-at)))
		if err != nil {
			return fmt.Errorf("page through a gap: %w", err)
		}
		if len(page.Events) == 0 {
			return fmt.Errorf("page through a gap: nothing after seq %d of %d", at, gap.ToSeq)
		}
		for _, e := range page.Events {
			if err := l.deliver(f, e, true); err != nil {
				return err
			}
		}
		at += int64(len(page.Events))
	}
	return nil
}

func (c *Client) count(code string) {
	c.cfg.History.Refused(code)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Errors[code]++
}
