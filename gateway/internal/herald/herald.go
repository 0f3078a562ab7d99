// Package herald stands between presence and those who want to know: it reports changes of users' statuses to the chat
// service, which tells their rooms, and makes the PRESENCE event for a session that has joined a room. It implements
// session.Whereabouts; presence feeds Notify, and gateway.go plugs both in. It keeps no presence, knows no Redis and no
// gRPC, and holds nobody up: sessions and presence hand over and go on.
//
// # Reports
//
// Of each user the newest change waits, so that the line is bounded by users, and by MaxWaiting. What could not be
// reported is tried again, after a pause that grows to seconds, as long as it is still true: by then another gateway may
// have reported something newer.
//
// # Snapshots
//
// There is one look-up at a time, for all who have asked since the one before began: each is of a moment after the
// question, and a reconnect storm costs no more than a look-up for every thousand users. Who asks for the same room
// meanwhile gets the same event, encoded once.
package herald

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Bounds that are not for configuration.
const (
	MaxReports = 256                    // changes in one report
	MaxWaiting = 65_536                 // users whose change waits; of more, the change is left out
	maxLookup  = 1_000                  // users in one look-up
	pauseMin   = 100 * time.Millisecond // before the first repeat of a report, doubled for each further one
	pauseMax   = 5 * time.Second
)

// Reporter takes reports; the relay. Errors are *event.Error, UNAVAILABLE where a repeat is of use.
type Reporter interface {
	ReportStatuses(ctx context.Context, changes []event.StatusChange) error
}

// Lookup tells who is online. Both answer within a moment.
type Lookup interface {
	// Statuses returns the status of those of the users who are not offline. stale: only what this node knows.
	Statuses(ctx context.Context, users []string) (statuses map[string]string, stale bool)
	// Online returns who has a room open.
	Online(ctx context.Context, room int64) event.Online
}

// Herald is one gateway's. All methods are safe for concurrent use.
type Herald struct {
	reporter Reporter
	lookup   Lookup
	logger   *slog.Logger

	reports   reports
	questions questions
}

// New makes a herald. What is handed over before Run waits for it.
func New(reporter Reporter, lookup Lookup, logger *slog.Logger) *Herald {
	h := &Herald{reporter: reporter, lookup: lookup, logger: logger}
	h.reports.waiting = make(map[string]event.StatusChange)
	h.reports.wake = make(chan struct{}, 1)
	h.questions.wake = make(chan struct{}, 1)
	return h
}

// Run reports and answers until ctx ends; who has asked by then, or asks later, hears that nothing is known. It returns
// when nothing of the herald runs any more, and is called once.
func (h *Herald) Run(ctx context.Context) error {
	var working sync.WaitGroup
	working.Go(func() { h.runReports(ctx) })
	working.Go(func() { h.runQuestions(ctx) })
	working.Wait()
	return nil
}

func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
