package loadgen

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/gateway"
)

// Options say what Run does.
type Options struct {
	Scenario  scenario.Scenario
	Target    scenario.Target
	Servers   []netip.AddrPort // where connections go, in turn
	Secret    string           // signs the users' tokens (HS256); empty: the target wants none
	Processes Processes        // the server's, to be watched; may be empty
	Worker    []string         // the command that runs swarm.Serve on standard input and output
	PerWorker int              // connections of one worker process; 0 is 18,000
	Sources   []netip.Addr     // a source address for each worker, in turn; may be empty
	Progress  io.Writer        // gets a line a second; may be nil
	OnPhase   func(Phase)      // is called when a phase begins, and must not take long; may be nil

	run string // begins the names of users
}

// Phase is a part of a run.
type Phase string

// The phases, in order.
const (
	Connecting Phase = "connecting"
	Warming    Phase = "warming"
	Measuring  Phase = "measuring"
	Settling   Phase = "settling"
)

// maxPerWorker leaves some of a process's 20,000 file descriptors for other things.
const maxPerWorker = 18_000

// settleTime is how long a run waits for deliveries that are missing.
const settleTime = 15 * time.Second

func (o *Options) check() error {
	if len(o.Servers) == 0 {
		return errors.New("no server is named")
	}
	if len(o.Worker) == 0 {
		return errors.New("no worker command is named")
	}
	if err := errors.Join(o.Scenario.Validate(), o.Target.Validate()); err != nil {
		return err
	}
	if o.PerWorker == 0 {
		o.PerWorker = maxPerWorker
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.OnPhase == nil {
		o.OnPhase = func(Phase) {}
	}
	if o.Scenario.Load.Closed == scenario.Complete && o.Scenario.Connections > o.PerWorker {
		return fmt.Errorf("load.closed: %s needs all %d connections in one worker, which has at most %d",
			scenario.Complete, o.Scenario.Connections, o.PerWorker)
	}
	o.run = "b" + time.Now().UTC().Format("0102150405.000")
	return nil
}

// users names users and signs their tokens.
type users struct{ run, secret string }

// tokenLife is longer than any run.
const tokenLife = 24 * time.Hour

func (u *users) token(user int) (string, error) {
	if u.secret == "" {
		return "", nil
	}
	return gateway.SignToken(u.secret, scenario.Name(u.run, user), tokenLife)
}

func (u *users) names(which []int) []string {
	names := make([]string, len(which))
	for i, user := range which {
		names[i] = scenario.Name(u.run, user)
	}
	return names
}

// tokens signs the tokens of the users first … first+count-1.
func (u *users) tokens(first, count int) ([]string, error) {
	if u.secret == "" {
		return nil, nil
	}
	tokens := make([]string, count)
	for i := range tokens {
		var err error
		if tokens[i], err = u.token(first + i); err != nil {
			return nil, fmt.Errorf("sign the token of user %d: %w", first+i, err)
		}
	}
	return tokens, nil
}
