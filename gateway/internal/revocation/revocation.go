// Package revocation knows which tokens are refused before their time. It keeps the chat service's list of them, and has
// the sessions of such tokens ended. It decides nothing: the chat service says who is revoked, auth asks Check about every
// token, and session ends what Run names.
//
// The list is asked for at the start, then every few seconds, and at once when the control subject says that there is
// something new. So a revocation takes effect in a moment with NATS, in seconds without. While the chat service is away,
// the list as it was last goes on. Until it has been read once, nobody can say which tokens are good: Check then says
// UNAVAILABLE.
package revocation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

const (
	pollEvery  = 5 * time.Second // and up to a fifth more, so that gateways do not ask together
	pollFirst  = 250 * time.Millisecond
	pollLeast  = 50 * time.Millisecond // between questions, however often the control subject speaks
	pruneEvery = 10 * time.Minute
	firstWait  = 2 * time.Second // how long Check waits for the first list
)

// List is the list of revocations. It is safe for concurrent use; Check takes no lock.
type List struct {
	source Source
	logger *slog.Logger
	users  sync.Map      // user -> *principal.Revocation
	loaded chan struct{} // closed once the list has been read to its end
	wake   chan struct{} // holds a token when the control subject has told of something new
	last   atomic.Int64  // number of the newest revocation that is known
	why    atomic.Value  // string: how the last question failed
}

// New makes a list that is empty until Run has read it.
func New(source Source, logger *slog.Logger) *List {
	return &List{source: source, logger: logger, loaded: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// Check returns an error, *event.Error, when the principal's token is revoked, or when that is not known yet.
func (l *List) Check(ctx context.Context, who principal.Principal) error {
	select {
	case <-l.loaded:
	default:
		if err := l.awaitFirst(ctx); err != nil {
			return err
		}
	}
	found, there := l.users.Load(who.User)
	if !there {
		return nil
	}
	if r, ok := found.(*principal.Revocation); ok && r.Covers(who.Issued) {
		return Refusal(r)
	}
	return nil
}

// Refusal is what the user of a revoked token is told.
func Refusal(r *principal.Revocation) *event.Error {
	message := r.Reason
	if message == "" {
		message = "this sign-in has been ended: sign in again"
	}
	return &event.Error{Code: event.Unauthenticated, Message: message}
}

func (l *List) awaitFirst(ctx context.Context) error {
	patience := time.NewTimer(firstWait)
	defer patience.Stop()
	select {
	case <-l.loaded:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	}
	return &event.Error{
		Code: event.Unavailable, Message: "the chat service cannot be reached: try again", RetryAfter: time.Second,
	}
}

// Ready says whether the list has been read; the error says what to look at.
func (l *List) Ready(context.Context) error {
	select {
	case <-l.loaded:
		return nil
	default:
		why, _ := l.why.Load().(string)
		return errors.New("the list of revoked tokens has not been read yet: see that the chat service is there, and takes this" +
			" gateway's credential: " + cmp.Or(why, "nothing was heard of it so far"))
	}
}

// Run keeps the list up to date and ends sessions, until the context ends. It is called once. An error means that it
// could not begin.
func (l *List) Run(ctx context.Context, nc *nats.Conn, sessions Sessions) error {
	heard, err := nc.Subscribe(subject.Control, l.hear)
	if err != nil {
		return fmt.Errorf("subscribe %s: %w", subject.Control, err)
	}
	defer func() { _ = heard.Unsubscribe() }() // fails only on a closed connection
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	for away := false; ; {
		err := l.read(ctx, sessions)
		if err != nil {
			l.why.Store(err.Error())
		}
		if (err != nil) != away && ctx.Err() == nil {
			away = err != nil
			l.report(ctx, err)
		}
		if !l.pause(ctx, prune.C) {
			return nil
		}
	}
}

func (l *List) report(ctx context.Context, err error) {
	if err != nil {
		l.logger.WarnContext(ctx, "revoked tokens cannot be asked for; the list as it was goes on", "error", err)
		return
	}
	l.logger.InfoContext(ctx, "revoked tokens can be asked for again")
}

// hear takes a hint of the control subject: its number is compared, and nothing in it believed.
func (l *List) hear(m *nats.Msg) {
	var control chatv1.Control
	if proto.Unmarshal(m.Data, &control) != nil || control.GetRevocation() <= l.last.Load() {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pause waits until it is time to ask again; false at the end.
func (l *List) pause(ctx context.Context, prune <-chan time.Time) bool {
	least := time.NewTimer(pollLeast)
	defer least.Stop()
	select {
	case <-least.C:
	case <-ctx.Done():
		return false
	}
	every := pollEvery + rand.N(pollEvery/5) //nolint:gosec // no secret: it spreads load
	if l.Ready(ctx) != nil {
		every = pollFirst
	}
	next := time.NewTimer(every)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			return true
		case <-l.wake:
			return true
		case <-prune:
			l.prune(time.Now())
		case <-ctx.Done():
			return false
		}
	}
}

// read takes in what is new, page by page.
func (l *List) read(ctx context.Context, sessions Sessions) error {
	for {
		after := l.last.Load()
		page, head, err := l.source.Revocations(ctx, after)
		if err != nil {
			return err
		}
		for i := range page {
			l.add(&page[i], sessions)
		}
		switch {
		case head < after: // the chat service has begun anew, or has forgotten the last ones: look at all once more
			l.last.Store(0)
		case len(page) == 0:
			if l.Ready(ctx) != nil {
				close(l.loaded)
			}
			return nil
		}
	}
}

// add takes in one revocation. It stands in the list before sessions are ended: a session that begins meanwhile is
// either ended here or finds it there.
func (l *List) add(r *principal.Revocation, sessions Sessions) {
	l.last.Store(r.Number)
	if known, there := l.users.Load(r.User); there {
		if old, ok := known.(*principal.Revocation); ok && !old.IssuedBefore.Before(r.IssuedBefore) {
			return
		}
	}
	l.users.Store(r.User, r)
	sessions.Revoke(r)
}

// prune forgets what is of no use any more.
func (l *List) prune(now time.Time) {
	l.users.Range(func(user, found any) bool {
		if r, ok := found.(*principal.Revocation); ok && r.Until.Before(now) {
			l.users.Delete(user)
		}
		return true
	})
}
