package commit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/commit"
	"github.com/fliliy/chat/chatsvc/internal/fake"
)

// faults is a database that fails as the plan says, one entry for each append; then it works.
type faults struct {
	plan []string
	log  *fake.Log
}

func (f *faults) Append(ctx context.Context, units [][]chat.Draft) (chat.Appended, error) {
	fault := "none"
	if len(f.plan) > 0 {
		fault, f.plan = f.plan[0], f.plan[1:]
	}
	switch fault {
	case "away":
		return chat.Appended{}, chat.ErrTransient
	case "spoilt":
		return chat.Appended{}, errors.New("a fault")
	case "lost": // the connection broke before the commit arrived
		return chat.Appended{}, &chat.InDoubt{Err: errors.New("reset"), Settle: f.settle(chat.Appended{}, false)}
	}
	appended, err := f.log.Append(ctx, units)
	if err == nil && fault == "unanswered" {
		return chat.Appended{}, &chat.InDoubt{Err: errors.New("reset"), Settle: f.settle(appended, true)}
	}
	return appended, err
}

// settle answers at the second question.
func (f *faults) settle(appended chat.Appended, stored bool) chat.SettleFunc {
	asked := false
	return func(context.Context) (chat.Appended, bool, error) {
		if !asked {
			asked = true
			return chat.Appended{}, false, errors.New("still away")
		}
		return appended, stored, nil
	}
}

// TestOrderAndOneAnswer submits random units to a database that fails at random: what is stored is exactly what was
// acknowledged, in the order of submission, without doubles, whole units only, and published as it is stored.
func TestOrderAndOneAnswer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rooms := rapid.SliceOfN(rapid.SliceOfN(rapid.Int64Range(1, 3), 1, 4), 1, 40).Draw(rt, "units")
		plan := rapid.SliceOfN(rapid.SampledFrom([]string{"none", "away", "lost", "unanswered", "spoilt"}), 0, 12)
		store := &faults{plan: plan.Draw(rt, "faults"), log: new(fake.Log)}
		batch := rapid.IntRange(1, 8).Draw(rt, "batch")
		early := rapid.IntRange(0, len(rooms)).Draw(rt, "submitted before the start")
		synctest.Test(t, func(t *testing.T) {
			got, pub := newAnswers(), new(fake.Publisher)
			scribe := commit.New(store, pub, commit.Options{MaxBatch: batch})
			var stop func()
			for i, unit := range rooms {
				if i == early {
					stop = run(t, scribe)
				}
				var drafts []chat.Draft
				for _, room := range unit {
					drafts = append(drafts, draft(room, fmt.Sprintf("%04d", i)))
				}
				scribe.Submit(drafts, got.done(fmt.Sprintf("%04d", i)))
			}
			if stop == nil {
				stop = run(t, scribe)
			}
			synctest.Wait()
			stop()
			checkLogs(t, rooms, got, store.log, pub)
		})
	})
}

func checkLogs(t *testing.T, units [][]int64, got *answers, log *fake.Log, pub *fake.Publisher) {
	t.Helper()
	want := make(map[int64][]string)
	total := 0
	for i, unit := range units {
		name := fmt.Sprintf("%04d", i)
		if got.calls[name] != 1 {
			t.Fatalf("unit %s was answered %d times", name, got.calls[name])
		}
		if got.errs[name] != nil {
			continue
		}
		if len(got.stored[name]) != len(unit) {
			t.Fatalf("unit %s of %d drafts got %d places", name, len(unit), len(got.stored[name]))
		}
		for j, room := range unit {
			want[room] = append(want[room], name)
			if seq := int64(len(want[room])); got.stored[name][j].Seq != seq {
				t.Errorf("unit %s, draft %d has seq %d, want %d", name, j, got.stored[name][j].Seq, seq)
			}
			total++
		}
	}
	next := map[int64]int64{}
	for _, e := range pub.Events() {
		next[e.LogID]++
		if e.Seq != next[e.LogID] {
			t.Errorf("published %s after %d events of the room", e.MessageID, next[e.LogID]-1)
		}
		total--
	}
	if total != 0 {
		t.Errorf("%d acknowledged messages were not published", total)
	}
	for room := int64(1); room <= 3; room++ {
		var stored []string
		for _, e := range log.Events(room) {
			stored = append(stored, e.Content)
		}
		if fmt.Sprint(stored) != fmt.Sprint(want[room]) {
			t.Errorf("room %d has %v, acknowledged were %v", room, stored, want[room])
		}
	}
}
