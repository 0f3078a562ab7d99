package presence

import "context"

// A gateway is dead when its lease has not moved during as many of our own beats in a row as make up LeaseTTL. Beats
// are counted, and not time: when this process, Redis or the machine was stopped, all have missed the same beats, and
// none is thought dead for it. For a gateway that has said that it leaves, it is as many as make up the debounce.

// sighting is what was last seen of another gateway.
type sighting struct {
	lease  string
	silent int // beats in which it has not moved
}

// states of a lease that are not a number.
const (
	leaseLeaving = "leaving"
	leaseLeft    = "left" // and is being cleared away
	leaseDead    = "dead" // and is being cleared away, or was
)

// observe returns the gateways that are to be cleared away, each as it was seen.
func (w *worker) observe(seen surroundings) []peer {
	var dead []peer
	sightings := make(map[string]sighting, len(seen.others))
	for _, other := range seen.others {
		sight := sighting{lease: other.lease}
		if before, known := w.peers[other.id]; known && before.lease == other.lease {
			sight.silent = before.silent + 1
		}
		sightings[other.id] = sight
		if sight.silent >= w.patience(other.lease) {
			dead = append(dead, other)
		}
	}
	w.peers = sightings
	return append(dead, seen.dead...) // the latter somebody has begun to clear away, and perhaps not ended
}

// patience is how many beats a gateway may be silent.
func (w *worker) patience(lease string) int {
	wait := w.opts.LeaseTTL
	if lease == leaseLeaving {
		wait = max(0, w.opts.Debounce)
	}
	return int((wait + w.opts.LeaseEvery - 1) / w.opts.LeaseEvery)
}

// alive returns the gateways that are not known to be silent.
func (w *worker) alive() []string {
	var ids []string
	for id, sight := range w.peers {
		if sight.silent < w.patience(sight.lease) {
			ids = append(ids, id)
		}
	}
	return ids
}

// silent returns the gateways whose users nobody takes care of.
func (w *worker) silent() []peer {
	var others []peer
	for id, sight := range w.peers {
		others = append(others, peer{id: id, lease: sight.lease})
	}
	return others
}

// reapAll clears dead gateways away, as far as they are this gateway's to clear. One call is one batch of users; the
// waiting line has its turn between two of them.
func (w *worker) reapAll(ctx context.Context, dead []peer) error {
	for _, gateway := range dead {
		users, cleared := 0, leaseDead
		if gateway.lease == leaseLeaving || gateway.lease == leaseLeft {
			cleared = leaseLeft
		}
		for more := true; more; {
			var changes []Change
			var err error
			if more, changes, err = w.store.reap(ctx, gateway, w.force); err != nil {
				return err
			}
			gateway.lease = cleared
			users += len(changes)
			w.notify(changes)
			if err := w.drain(ctx); err != nil {
				return err
			}
		}
		if users > 0 && cleared == leaseDead {
			w.opts.Logger.Warn("presence: another gateway has gone; its users are offline unless they came back",
				"gateway", gateway.id, "users", users)
		}
	}
	return nil
}
