package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

// step is one thing that happens in the model test. What its numbers mean depends on the kind.
type step struct {
	Kind string
	Log  int
	User int
	N    int
	Then int // ms that pass afterwards
}

var (
	modelLogs  = []event.Log{room(1), room(2), {User: "alice"}}
	modelUsers = []string{"alice", "bob"}
	stepKinds  = []string{
		"publish", "publish", "publish", "publish", "publish", "edit", "subscribe", "subscribe", "resume", "resume", "resume",
		"leave", "leave", "ban", "ban", "allow", "allow", "allow", "store down", "store up", "nats down", "nats up",
		"slow consumer", "pass", "pass", "digest",
	}
)

func drawSteps(t *rapid.T) []step {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			Kind: rapid.SampledFrom(stepKinds).Draw(t, "kind"),
			Log:  rapid.IntRange(0, len(modelLogs)-1).Draw(t, "log"),
			User: rapid.IntRange(0, len(modelUsers)-1).Draw(t, "user"),
			N:    rapid.IntRange(0, 30).Draw(t, "n"),
			Then: rapid.SampledFrom([]int{0, 0, 1, 5, 20, 70}).Draw(t, "then"),
		}
	})
	least := rapid.SampledFrom([]int{1, 20, 150}).Draw(t, "least")
	return rapid.SliceOfN(one, least, 200).Draw(t, "steps")
}

// follower is one subscription of the model, and what is known of it from outside.
type follower struct {
	*sink
	log     event.Log
	user    string
	lastSeq int64
	told    told           // the chat service's answer; head -1 without one
	stale   map[int64]bool // edited, as this node knew when it joined
	cancel  context.CancelFunc
	done    chan struct{}
	err     error
	left    bool
}

// model runs steps against a hub between a lossy NATS and a slow, sometimes absent chat service.
type model struct {
	hub   *hub.Hub
	store *store
	feed  *feed
	all   []*follower
}

func newModel(seed uint64) *model {
	m := &model{store: newStore(), feed: newFeed()}
	m.store.chance, m.store.latency, m.store.limit = newChance(seed), 30*time.Millisecond, 7
	m.feed.chance, m.feed.latency = newChance(seed+1), 60*time.Millisecond
	m.feed.loss, m.feed.double, m.feed.delay = 20, 20, 40
	m.hub = hub.New(hub.Options{
		Interest: m.feed, Logs: m.store,
		Tuning: hub.Tuning{
			Hold: 6, HoldBytes: 4000, Recent: 4, RecentBytes: 4000, Replays: 2, Workers: 2, Linger: 200 * time.Millisecond,
		},
	})
	m.feed.hub = m.hub
	return m
}

func (m *model) do(ctx context.Context, s step) {
	log, user := modelLogs[s.Log], modelUsers[s.User]
	switch s.Kind {
	case "publish":
		for range s.N%5 + 1 {
			m.feed.publish(log, m.store.add(log, 1+s.N%2)...)
		}
	case "edit":
		if head := m.store.head(log); head > 0 {
			m.feed.publish(log, m.store.edit(log, max(1, head-int64(s.N%6))))
		}
	case "subscribe":
		m.subscribe(ctx, user, log, -1)
	case "resume":
		m.subscribe(ctx, user, log, max(0, m.store.head(log)-int64(s.N)))
	case "leave":
		if len(m.all) > 0 {
			m.leave(m.all[s.N%len(m.all)])
		}
	case "ban":
		m.feed.publish(log, m.store.ban(log, user))
	case "allow":
		m.store.allow(log, user)
	case "store down", "store up":
		m.store.setDown(s.Kind == "store down")
	case "nats down":
		m.feed.setDown(true)
	case "nats up":
		m.feed.setDown(false)
		m.hub.Resync()
	case "slow consumer":
		m.hub.Resync()
	case "pass":
		_ = wait(ctx, time.Duration(s.N)*10*time.Millisecond)
	case "digest":
		m.digest()
	}
}

func (m *model) digest() {
	var heads []event.Head
	for _, log := range modelLogs {
		heads = append(heads, event.Head{Log: log, Seq: m.store.head(log)})
	}
	m.hub.Heads(heads)
}

func (m *model) subscribe(ctx context.Context, user string, log event.Log, lastSeq int64) {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{
		sink: newSink(fmt.Sprint("s", len(m.all))), log: log, user: user, lastSeq: lastSeq,
		told: told{head: -1}, stale: m.edits(log), cancel: cancel, done: make(chan struct{}),
	}
	ctx = context.WithValue(ctx, toldKey{}, &f.told)
	m.all = append(m.all, f)
	go func() {
		defer close(f.done)
		_, f.err = m.hub.Subscribe(ctx, user, log, lastSeq, f.sink)
		if f.err != nil {
			f.close()
		}
	}()
}

// edits returns which events of a log were edited, as far as the hub has told anybody.
func (m *model) edits(log event.Log) map[int64]bool {
	known := make(map[int64]bool)
	for _, f := range m.all {
		if f.log != log {
			continue
		}
		f.mu.Lock()
		for _, e := range f.got {
			if target, err := strconv.ParseInt(e.MessageID, 10, 64); err == nil {
				known[target] = true
			}
		}
		f.mu.Unlock()
	}
	return known
}

// leave does what a session does that does not know how far Subscribe has come.
func (m *model) leave(f *follower) {
	f.cancel()
	m.hub.Unsubscribe(f.log, f.sink)
	f.close()
	f.left = true
}

// heal ends all faults and lets everything settle.
func (m *model) heal(ctx context.Context) {
	m.store.setDown(false)
	m.feed.setDown(false)
	m.feed.loss = 0
	_ = wait(ctx, time.Second) // what is in flight lands
	m.digest()
	_ = wait(ctx, time.Minute)
}

// check says what is wrong with what a follower got.
func (m *model) check(f *follower) error {
	<-f.done
	ended, late := f.state()
	if late > 0 {
		return fmt.Errorf("%d deliveries after the end", late)
	}
	pos, start, err := f.walk()
	if err != nil {
		return err
	}
	for _, e := range f.got {
		if f.stale[e.Seq] && e.MessageID != changedID {
			return fmt.Errorf("event %d came as it was before the edit", e.Seq)
		}
	}
	for i, e := range f.got {
		if e.Ends && e.User == f.user && e.Seq > f.told.head && (i < len(f.got)-1 || (ended == nil && f.err == nil)) {
			return fmt.Errorf("lost access with event %d and stayed", e.Seq)
		}
	}
	switch {
	case f.err != nil:
		return f.checkRefusal(ended)
	case f.lastSeq < 0 && start != f.told.head:
		return fmt.Errorf("began after %d, allowed at head %d", start, f.told.head)
	case f.left:
		return nil
	case ended != nil:
		last := f.got[len(f.got)-1]
		if !last.Ends || last.User != f.user || last.Seq <= f.told.head || ended.Code != event.Forbidden {
			return fmt.Errorf("ended with %v after event %d, which does not concern %s", ended, last.Seq, f.user)
		}
		return nil
	}
	if head := m.store.head(f.log); pos != head {
		return fmt.Errorf("got events up to %d, the head is %d", pos, head)
	}
	return nil
}

func (f *follower) checkRefusal(ended *event.Error) error {
	var refused *event.Error
	switch {
	case ended != nil:
		return errors.New("refused and ended")
	case errors.As(f.err, &refused) && refused.Code == event.Forbidden && f.told.head >= 0:
		if n := len(f.got); n == 0 || !f.got[n-1].Ends || f.got[n-1].Seq <= f.told.head {
			return errors.New("allowed, then refused without having lost access")
		}
		return nil
	case errors.As(f.err, &refused), f.left && errors.Is(f.err, context.Canceled):
		return nil
	}
	return fmt.Errorf("refused with %w", f.err)
}

// walk goes along the events that came: after the start each must be the next one. A GAP may only come first.
func (f *follower) walk() (pos, start int64, err error) {
	pos, start = f.lastSeq, f.lastSeq
	for i, e := range f.got {
		if e.Kind == event.Gap {
			var gap struct{ FromSeq, ToSeq int64 }
			if err := json.Unmarshal(e.Frame.Body(), &gap); err != nil {
				return 0, 0, err
			}
			if i != 0 || f.lastSeq < 0 || gap.FromSeq != f.lastSeq+1 || gap.ToSeq < gap.FromSeq {
				return 0, 0, fmt.Errorf("unexpected GAP from %d to %d", gap.FromSeq, gap.ToSeq)
			}
			pos = gap.ToSeq
			continue
		}
		if pos < 0 {
			pos = e.Seq - 1
			start = pos
		}
		if pos = f.past(pos); e.Seq != pos+1 {
			return 0, 0, fmt.Errorf("event %d after %d", e.Seq, pos)
		}
		pos = e.Seq
	}
	if pos >= 0 {
		pos = f.past(pos)
	}
	if pos < 0 { // from now on, and nothing came
		pos, start = f.told.head, f.told.head
	}
	return pos, start, nil
}

// past goes on from a place to the last one before the next that is for the follower.
func (f *follower) past(pos int64) int64 {
	for f.told.hides(pos + 1) {
		pos++
	}
	return pos
}

func runModel(t *testing.T, seed uint64, steps []step) (failure error) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		m := newModel(seed)
		ended := make(chan struct{})
		go func() { defer close(ended); m.hub.Run(ctx) }()
		for _, s := range steps {
			m.do(ctx, s)
			_ = wait(ctx, time.Duration(s.Then)*time.Millisecond)
		}
		m.heal(ctx)
		for i, f := range m.all {
			if err := m.check(f); err != nil && failure == nil {
				failure = fmt.Errorf("follower %d of %v (%s, last-seq %d, live %t), got %v: %w",
					i, f.log, f.user, f.lastSeq, f.err == nil, f.seqs(), err)
			}
		}
		for _, f := range m.all {
			m.leave(f)
		}
		_ = wait(ctx, time.Second)
		live, wrong := m.feed.interests()
		if failure == nil && (live > 0 || len(wrong) > 0) {
			failure = fmt.Errorf("%d interests left over, wrong calls: %v", live, wrong)
		}
		if remembered, held := m.hub.Kept(); failure == nil && (remembered != 0 || held != 0) {
			failure = fmt.Errorf("%d bytes remembered and %d held although nobody is left", remembered, held)
		}
		stop()
		<-ended
	})
	return failure
}

func TestEverySinkSeesExactlyItsLog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt)
		seed := rapid.Uint64().Draw(rt, "seed")
		if err := runModel(t, seed, steps); err != nil {
			rt.Fatal(err)
		}
	})
}
