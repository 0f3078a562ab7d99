package commit

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

const (
	firstPause = 10 * time.Millisecond // before a second try
	longPause  = 500 * time.Millisecond
	maxDoubts  = 64 // appends in doubt that are remembered
)

// errNoTime ends the tries of a batch.
var errNoTime = errors.New("the database was away for longer than messages may wait")

// storeBatch stores the entries and calls each done once.
func (s *Scribe) storeBatch(ctx context.Context, batch []entry) {
	if s.down {
		if batch = s.refuseExpired(batch); len(batch) == 0 {
			return
		}
	}
	start := time.Now()
	appended, err := s.appendPatiently(ctx, batch)
	s.observe(batch, time.Since(start))
	switch {
	case err == nil:
		s.down = false
		s.finish(batch, appended)
	case chat.CodeOf(err) == chat.Unavailable:
		s.down = true
		s.log.Error("messages refused: database away", "units", len(batch), "error", err)
		s.refuseAll(batch, func(unit []chat.Draft) error { return unavailable(unit, unknownOutcome) })
	case len(batch) > 1:
		s.log.Warn("transaction failed: trying its halves", "units", len(batch), "error", err)
		half := len(batch) / 2
		s.storeBatch(ctx, batch[:half])
		s.storeBatch(ctx, batch[half:])
	default:
		s.log.Error("message refused: transaction failed", "error", err)
		s.refuseAll(batch, func([]chat.Draft) error { return err })
	}
}

// appendPatiently tries until it is done, the error is final, or the oldest entry's patience is over. At least one
// try is made.
func (s *Scribe) appendPatiently(ctx context.Context, batch []entry) (chat.Appended, error) {
	deadline := batch[0].at.Add(s.opts.Patience)
	if floor := time.Now().Add(s.opts.Patience / 2); !s.down && deadline.Before(floor) {
		deadline = floor // it waited in a long queue of a database that works
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	s.units = s.units[:0]
	for i := range batch {
		s.units = append(s.units, batch[i].unit)
	}
	defer clear(s.units)
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		appended, err := s.appendOnce(ctx, deadline)
		if err == nil || !errors.Is(err, chat.ErrTransient) {
			return appended, err
		}
		if !wait(ctx, pause) {
			return chat.Appended{}, errors.Join(errNoTime, err)
		}
	}
}

// appendOnce makes one try. A fifth of the time that is left is kept for settling it.
func (s *Scribe) appendOnce(ctx context.Context, deadline time.Time) (chat.Appended, error) {
	try, cancel := context.WithTimeout(ctx, time.Until(deadline)*4/5)
	defer cancel()
	appended, err := s.store.Append(try, s.units)
	doubt, ok := errors.AsType[*chat.InDoubt](err)
	if !ok {
		return appended, err
	}
	s.log.Warn("commit not answered: asking whether it is stored", "error", doubt.Err)
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		appended, stored, err := doubt.Settle(ctx)
		switch {
		case err == nil && stored:
			return appended, nil
		case err == nil:
			return chat.Appended{}, errors.Join(chat.ErrTransient, doubt.Err)
		}
		if !wait(ctx, pause) {
			s.remember(doubt.Settle)
			return chat.Appended{}, doubt
		}
	}
}

// wait pauses, with a jitter so that replicas do not try in step; false when the context ends first.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // a jitter is no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// remember keeps a doubt; beyond maxDoubts the oldest is given up: gateways then find its events as holes.
func (s *Scribe) remember(settle chat.SettleFunc) {
	if len(s.doubts) == maxDoubts {
		s.doubts = s.doubts[1:]
	}
	s.doubts = append(s.doubts, settle)
}

// settleDoubts asks once more about what was in doubt, and publishes what is stored. Its callers have been told that
// the outcome is unknown.
func (s *Scribe) settleDoubts(ctx context.Context) {
	for len(s.doubts) > 0 {
		short, cancel := context.WithTimeout(ctx, s.opts.Patience/5)
		appended, stored, err := s.doubts[0](short)
		cancel()
		if err != nil {
			return
		}
		s.doubts = s.doubts[1:]
		if stored {
			s.pub.Publish(appended.Events, appended.Audience)
		}
	}
}

// finish publishes what is committed and answers the callers.
func (s *Scribe) finish(batch []entry, appended chat.Appended) {
	afterCommit(appended.Events)
	if len(appended.Events) > 0 {
		s.pub.Publish(appended.Events, appended.Audience)
	}
	for i := range batch {
		outcome := &appended.Outcomes[i]
		if outcome.Err != nil {
			s.countRefused(outcome.Err.Code, len(batch[i].unit))
			batch[i].done(nil, outcome.Err)
			continue
		}
		batch[i].done(outcome.Stored, nil)
	}
}

// refuseExpired refuses the entries, at the front, that have waited long enough for a database that is away.
func (s *Scribe) refuseExpired(batch []entry) []entry {
	expired := 0
	for expired < len(batch) && time.Since(batch[expired].at) >= s.opts.Patience {
		expired++
	}
	s.refuseAll(batch[:expired], func(unit []chat.Draft) error { return unavailable(unit, notStored) })
	return batch[expired:]
}

// refuseAll answers each entry with its error.
func (s *Scribe) refuseAll(batch []entry, why func(unit []chat.Draft) error) {
	for i := range batch {
		refusal := why(batch[i].unit)
		s.countRefused(chat.CodeOf(refusal), len(batch[i].unit))
		batch[i].done(nil, refusal)
	}
}

// What callers hear when the database is away.
const (
	notStored      = "the message store is away, and the message is not stored: send it again"
	unknownOutcome = "the message store did not answer in time: send the message again with the same clientMessageId, " +
		"so that it is stored once even if it is stored already"
	isStopping = "the service is stopping, and the message is not stored: send it again"
)

func unavailable(unit []chat.Draft, message string) *chat.Error {
	refusal := &chat.Error{Code: chat.Unavailable, Message: message, RetryAfter: time.Second}
	if len(unit) > 0 {
		refusal.ClientMessageID = unit[0].ClientMessageID
	}
	return refusal
}

func (s *Scribe) observe(batch []entry, took time.Duration) {
	if s.opts.Metrics.BatchSize != nil {
		drafts := 0
		for i := range batch {
			drafts += len(batch[i].unit)
		}
		s.opts.Metrics.BatchSize.Observe(float64(drafts))
	}
	if s.opts.Metrics.BatchSeconds != nil {
		s.opts.Metrics.BatchSeconds.Observe(took.Seconds())
	}
}

func (s *Scribe) countRefused(code chat.Code, drafts int) {
	if s.opts.Metrics.Refused != nil {
		s.opts.Metrics.Refused.WithLabelValues(string(code)).Add(float64(drafts))
	}
}
