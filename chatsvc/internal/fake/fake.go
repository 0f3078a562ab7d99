// Package fake has in-memory doubles of the ports of packages chat and commit, for tests only.
package fake

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// Publisher remembers what is published. Safe for concurrent use; the zero value is ready.
type Publisher struct {
	mu       sync.Mutex
	events   []chat.Event
	audience []map[int64][]string
}

// Publish implements chat.Publisher.
func (p *Publisher) Publish(events []chat.Event, audience map[int64][]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, events...)
	p.audience = append(p.audience, audience)
}

// Events returns all events published so far, in order.
func (p *Publisher) Events() []chat.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// Audiences returns the audience of each call so far.
func (p *Publisher) Audiences() []map[int64][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.audience)
}

// Log is a Batcher in memory: every room exists and everybody is a member of it. Safe for concurrent use.
type Log struct {
	// Before, if set, is asked before an append: an error fails it with nothing stored. Set it before the first use.
	Before func(ctx context.Context, units [][]chat.Draft) error
	// After, if set, is asked after an append is stored, and what it returns is the append's error.
	After func(ctx context.Context, appended chat.Appended) error

	mu     sync.Mutex
	events map[int64][]chat.Event
	sizes  []int
}

// Append implements commit.Batcher.
func (l *Log) Append(ctx context.Context, units [][]chat.Draft) (chat.Appended, error) {
	if l.Before != nil {
		if err := l.Before(ctx, units); err != nil {
			return chat.Appended{}, err
		}
	}
	appended := l.store(units)
	if l.After != nil {
		if err := l.After(ctx, appended); err != nil {
			return chat.Appended{}, err
		}
	}
	return appended, nil
}

func (l *Log) store(units [][]chat.Draft) chat.Appended {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events == nil {
		l.events = make(map[int64][]chat.Event)
	}
	ledger := chat.NewLedger(time.Now())
	drafts := 0
	for _, unit := range units {
		drafts += len(unit)
		for i := range unit {
			room := unit[i].Room
			ledger.AddHead(unit[i].Log(), room, int64(len(l.events[room])))
			ledger.AddMember(room, unit[i].SenderID, chat.Standing{Role: chat.RoleMember}, false)
		}
	}
	for room, events := range l.events {
		for i := range events {
			ledger.AddStored(room, events[i].UserID, events[i].ClientMessageID, events[i].Seq)
		}
	}
	l.sizes = append(l.sizes, drafts)
	appended := ledger.Judge(units)
	for _, e := range appended.Events {
		l.events[e.LogID] = append(l.events[e.LogID], e)
	}
	return appended
}

// Events returns the log of a room.
func (l *Log) Events(room int64) []chat.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events[room])
}

// Sizes returns how many drafts each append had that was stored.
func (l *Log) Sizes() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sizes)
}
