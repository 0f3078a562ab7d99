package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// workerArgument makes a process a worker.
const workerArgument = "worker"

// WorkerCommand is how to start this program once more, as a worker.
func WorkerCommand() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, which is its workers' as well: %w", err)
	}
	return []string{self, workerArgument}, nil
}

// IsWorker says whether the program's arguments, its name first, are those of a WorkerCommand: it then has to Serve.
func IsWorker(args []string) bool { return len(args) > 1 && args[1] == workerArgument }

// Serve is a worker: it reads orders, the plan first, and writes notes, one JSON value each, until it is told to quit
// or the orders end.
func Serve(ctx context.Context, orders io.Reader, notes io.Writer) error {
	in, out := json.NewDecoder(orders), json.NewEncoder(notes)
	var first Order
	if err := in.Decode(&first); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	if first.Plan == nil {
		return errNoPlan
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s, err := New(first.Plan, func(n Note) {
		if err := out.Encode(n); err != nil {
			stop() // nobody listens
		}
	})
	if err != nil {
		return errors.Join(err, out.Encode(Note{Failed: err.Error()}))
	}
	go func() {
		defer stop()
		for {
			var order Order
			if err := in.Decode(&order); err != nil || order.Do == Quit {
				return // or the coordinator is gone
			}
			s.loop.Do(func() { s.obey(order) })
		}
	}()
	s.loop.Do(s.Start)
	return s.loop.Run(ctx)
}

var errNoPlan = errors.New("the first order has to be a plan")

func (s *Swarm) obey(order Order) {
	switch order.Do {
	case Go:
		s.Go()
	case Measure:
		s.Measure()
	case Stop:
		s.Stop()
	case Settle:
		s.Settle(order.Expect, order.Timeout)
	default:
		s.fail(fmt.Errorf("the order %q is unknown", order.Do))
	}
}
