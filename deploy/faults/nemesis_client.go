package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	plazaMembers = 20               // clients that follow the big room while somebody is slow in it
	slowBody     = 12 << 10         // bytes of a message there; the limit of a content is 16 KiB
	slowLimit    = 20 * time.Second // for the slow client to be closed
	slowKernel   = 16 << 10         // its kernel's receive buffer
)

// slowConsumer is row 12: a client in a big room stops reading while others talk, and reads on after it was closed.
func slowConsumer(ctx context.Context, n *nemesis) (verdict, error) {
	run, stop := context.WithCancel(ctx)
	defer stop()
	others := n.crowd.clients[:min(plazaMembers, len(n.crowd.clients))]
	defer func() {
		for _, c := range others {
			_ = c.Unfollow(ctx, n.crowd.plaza) // it is followed or the run has failed
		}
	}()
	for _, c := range others {
		if err := c.Follow(n.crowd.plaza); err != nil {
			return nil, err
		}
	}
	lazy := NewClient(ClientConfig{
		User: slow, Token: func() string { return n.crowd.token(slow) }, Gateways: n.crowd.sockets(),
		Rooms: []int64{n.crowd.plaza}, Seed: n.random.Uint64(), History: n.crowd.history,
		FromNow: true, ReceiveBuffer: slowKernel,
	})
	n.crowd.run(run, lazy)
	if err := errors.Join(lazy.AwaitLive(ctx), n.crowd.awaitLive(ctx)); err != nil {
		return nil, err
	}
	lazy.Pause()
	closed, last := false, int64(0)
	w, err := n.during(func() error {
		var err error
		closed, last, err = n.flood(ctx, lazy, others)
		return err
	})
	if err != nil {
		return nil, err
	}
	lazy.Resume()
	reading, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := lazy.AwaitSeq(reading, n.crowd.plaza, last); err != nil {
		return nil, err
	}
	for _, c := range others {
		if err := c.AwaitSeq(reading, n.crowd.plaza, last); err != nil {
			return nil, err
		}
	}
	codes := lazy.Counts().Closes
	lazy.Leave()
	return func(f *facts) (string, bool) {
		others := f.dropped(w, slow)
		return fmt.Sprintf("closed %t within %s of its silence (codes %v), then caught up; %d sockets of others dropped",
			closed, seconds(w.to-w.from), codes, others), closed && others == 0 && w.to-w.from <= 10*time.Second
	}, nil
}

// flood has others talk in the plaza, all at once and again when all of them have read it, until the lazy client was
// closed, or the limit: what waits for those who read stays below any send queue. It returns whether the lazy one was
// closed, and the newest seq.
func (n *nemesis) flood(ctx context.Context, lazy *Client, others []*Client) (closed bool, last int64, err error) {
	before, err := n.slowConsumers(ctx)
	if err != nil {
		return false, 0, err
	}
	body := strings.Repeat("all the same ", slowBody/13)
	for began := time.Now(); time.Since(began) < slowLimit; {
		newest, err := sayTogether(ctx, n.crowd.plaza, body, others)
		if err != nil {
			return false, 0, err
		}
		last = max(last, newest)
		for _, c := range others {
			if err := c.AwaitSeq(ctx, n.crowd.plaza, newest); err != nil {
				return false, 0, err
			}
		}
		now, err := n.slowConsumers(ctx)
		if err != nil {
			return false, 0, err
		}
		if now > before {
			n.say("%s was closed", lazy.User())
			return true, last, nil
		}
	}
	return false, last, nil
}

// sayTogether has each of the clients send the same once, all at once, and returns the newest seq.
func sayTogether(ctx context.Context, room int64, body string, clients []*Client) (int64, error) {
	seqs, failed := make([]int64, len(clients)), make([]error, len(clients))
	var sending sync.WaitGroup
	for i, c := range clients {
		sending.Go(func() {
			var receipt Receipt
			receipt, failed[i] = c.Send(ctx, room, body)
			seqs[i] = receipt.Seq
		})
	}
	sending.Wait()
	return slices.Max(seqs), errors.Join(failed...)
}

// slowConsumers is how many sessions all gateways have closed because they did not read.
func (n *nemesis) slowConsumers(ctx context.Context) (float64, error) {
	sum := 0.0
	for _, g := range n.gateways {
		count, err := g.Metric(ctx, "fliliy_gateway_slow_consumers_total")
		if err != nil {
			return 0, err
		}
		sum += count
	}
	return sum, nil
}

// repeats is row 18: a user's two devices, at different gateways, send each message three times at once.
func repeats(ctx context.Context, n *nemesis) (verdict, error) {
	run, stop := context.WithCancel(ctx)
	defer stop()
	room := n.crowd.rooms[0]
	var devices []*Client
	for g := range n.gateways[:min(2, len(n.gateways))] {
		device := NewClient(ClientConfig{
			User: twin, Token: func() string { return n.crowd.token(twin) }, Gateways: []string{n.crowd.socket(g)},
			Rooms: []int64{room}, Seed: n.random.Uint64(), History: n.crowd.history, FromNow: true,
		})
		n.crowd.run(run, device)
		devices = append(devices, device)
		if err := device.AwaitLive(ctx); err != nil {
			return nil, err
		}
	}
	first, second := devices[0], devices[len(devices)-1]
	different, last := 0, int64(0)
	for range n.pace.copies {
		receipts, err := SendCopies(ctx, room, "once, please", first, second, first)
		if err != nil {
			return nil, err
		}
		for _, r := range receipts {
			last = max(last, r.Seq)
			if r.MessageID != receipts[0].MessageID || r.Seq != receipts[0].Seq {
				different++
			}
		}
	}
	for _, device := range devices {
		if err := device.AwaitSeq(ctx, room, last); err != nil {
			return nil, err
		}
		device.Leave()
	}
	copies := n.pace.copies
	return func(*facts) (string, bool) {
		return fmt.Sprintf("%d x 3 sends, %d receipts that name another message (rows and broadcasts: see duplicated)",
			copies, different), different == 0
	}, nil
}

// subscribeRaces is row 22: clients unsubscribe and subscribe again and again, while messages come.
func subscribeRaces(ctx context.Context, n *nemesis) (verdict, error) {
	const racers = 8
	chosen := n.random.Perm(len(n.crowd.clients))[:min(racers, len(n.crowd.clients))]
	failed := make([]error, len(chosen))
	var racing sync.WaitGroup
	for i, c := range chosen {
		room := n.crowd.roomsOf[c][n.random.IntN(len(n.crowd.roomsOf[c]))]
		racing.Go(func() { failed[i] = n.crowd.clients[c].Cycle(ctx, room, n.pace.cycles) })
	}
	racing.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	h, cycles := n.crowd.history, len(chosen)*n.pace.cycles
	return func(*facts) (string, bool) {
		strays := h.strays.Load()
		return fmt.Sprintf("%d cycles, %d deliveries after the RECEIPT of an UNSUBSCRIBE", cycles, strays), strays == 0
	}, nil
}
