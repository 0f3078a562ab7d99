package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

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
