package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// worker is a process that runs a swarm.
type worker struct {
	orders  io.WriteCloser
	command *exec.Cmd
	errors  bytes.Buffer
}

// note is a line of a worker; ended is set when there are no more.
type note struct {
	from int
	swarm.Note
	ended error
}

// workers are all workers of a run.
type workers struct {
	all   []*worker
	notes chan note
	gone  int // workers that have ended, as next has said
}

// startWorkers starts as many workers as are needed, each with its plan. They begin to connect at once.
func startWorkers(ctx context.Context, o *Options, rooms []int64, users *users) (*workers, error) {
	starts := scenario.Split(&o.Scenario, o.PerWorker)
	w := &workers{notes: make(chan note, 64)}
	for i, first := range starts[:len(starts)-1] {
		plan := &swarm.Plan{
			Scenario: o.Scenario, Target: o.Target, Servers: o.Servers, Run: o.run, Rooms: rooms,
			First: first, Count: starts[i+1] - first,
		}
		plan.Scenario.AtOnce = max(1, o.Scenario.AtOnce/(len(starts)-1))
		if len(o.Sources) > 0 {
			plan.Source = o.Sources[i%len(o.Sources)]
		}
		var err error
		if plan.Tokens, err = users.tokens(first, plan.Count); err != nil {
			return w, err
		}
		if err := w.start(ctx, o.Worker); err != nil {
			return w, err
		}
		if err := w.all[i].order(swarm.Order{Plan: plan}); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w *workers) start(ctx context.Context, command []string) error {
	one := &worker{command: exec.CommandContext(ctx, command[0], command[1:]...)} //nolint:gosec // G204: the caller's own
	one.command.Stderr = &one.errors
	one.command.WaitDelay = time.Second
	orders, err1 := one.command.StdinPipe()
	notes, err2 := one.command.StdoutPipe()
	if err := errors.Join(err1, err2, one.command.Start()); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	one.orders = orders
	from := len(w.all)
	w.all = append(w.all, one)
	go func() {
		lines := json.NewDecoder(notes)
		for {
			n := note{from: from}
			if err := lines.Decode(&n.Note); err != nil {
				n.ended = fmt.Errorf("worker %d ended: %w %s", from, errors.Join(one.command.Wait(), io.EOF), one.errors.Bytes())
				w.notes <- n
				return
			}
			w.notes <- n
		}
	}()
	return nil
}

func (w *worker) order(order swarm.Order) error {
	if err := json.NewEncoder(w.orders).Encode(order); err != nil {
		return fmt.Errorf("tell a worker: %w", err)
	}
	return nil
}

// order tells all workers.
func (w *workers) order(order swarm.Order) error {
	for _, one := range w.all {
		if err := one.order(order); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all workers and waits until they are gone.
func (w *workers) stop() {
	for _, one := range w.all {
		_ = one.orders.Close() // a worker whose orders end, ends
	}
	for w.gone < len(w.all) {
		w.heed(<-w.notes)
	}
}

// heed counts the workers that are gone.
func (w *workers) heed(n note) note {
	if n.ended != nil {
		w.gone++
	}
	return n
}
