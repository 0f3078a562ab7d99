package fake

import (
	"slices"
	"strconv"
	"sync"

	"github.com/fliliy/chat/gateway/internal/action"
)

// Relay stores what sessions submit. By itself it answers at once, within Submit: seq 1, 2, ... per room. Fields may be
// set before its first use.
type Relay struct {
	// Hold keeps all answers back for Settle.
	Hold bool
	// Refuse decides what is refused; nil, or no error, is nothing.
	Refuse func(user string, actions []action.Action) error

	mu        sync.Mutex
	submitted []Submission
	heads     map[int64]int64
}

// Submission is one call of Submit.
type Submission struct {
	User    string
	Actions []action.Action
	done    func([]action.Stored, error)
}

// Submit implements session.Relay.
func (r *Relay) Submit(user string, actions []action.Action, done func([]action.Stored, error)) {
	r.mu.Lock()
	r.submitted = append(r.submitted, Submission{user, actions, done})
	number := len(r.submitted) - 1
	r.mu.Unlock()
	if !r.Hold {
		r.Settle(number)
	}
}

// Settle answers a submission, by its number from 0, as Refuse says. Each may be answered once.
func (r *Relay) Settle(number int) {
	submission := r.submission(number)
	if r.Refuse != nil {
		if err := r.Refuse(submission.User, submission.Actions); err != nil {
			submission.done(nil, err)
			return
		}
	}
	submission.done(r.store(submission.Actions), nil)
}

// SettleWith answers a submission with any outcome.
func (r *Relay) SettleWith(number int, stored []action.Stored, err error) {
	r.submission(number).done(stored, err)
}

func (r *Relay) submission(number int) Submission {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.submitted[number]
}

func (r *Relay) store(actions []action.Action) []action.Stored {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heads == nil {
		r.heads = make(map[int64]int64)
	}
	stored := make([]action.Stored, len(actions))
	for i, act := range actions {
		if act.Verb != action.Send {
			continue
		}
		r.heads[act.Room]++
		seq := r.heads[act.Room]
		stored[i] = action.Stored{
			MessageID: strconv.FormatInt(act.Room, 10) + "-" + strconv.FormatInt(seq, 10), Seq: seq,
		}
	}
	return stored
}

// Submitted returns all submissions so far.
func (r *Relay) Submitted() []Submission {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.submitted)
}
