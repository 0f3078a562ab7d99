package presence

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/event"
)

// What the tests of the key names need.
var (
	StatusKey    = statusKey
	UserRoomsKey = userRoomsKey
	RoomUsersKey = roomUsersKey
	RecordKey    = recordKey
	SeenKey      = seenKey
	LeaseKey     = leaseKey
	HeldKey      = heldKey
	ChangesKey   = changesKey
	NewsKey      = newsKey
	ClaimKey     = claimKey
)

// The keys without a variable part.
const (
	OnlineUsersKey = onlineUsersKey
	GatewaysKey    = gatewaysKey
	DeadKey        = deadKey
	PulseKey       = pulseKey
	GraceKey       = graceKey
)

// ReapScript is the hash by which Redis knows the script that clears a dead gateway away.
var ReapScript = reapScript.Hash()

// Stepper drives a Presence by hand in place of Run: one turn of its worker after the other, under a clock of the
// test's.
type Stepper struct {
	*Presence
	worker *worker
}

// NewStepper makes one; now is its clock.
func NewStepper(rdb redis.UniversalClient, opts Options, now func() time.Time) *Stepper {
	p := New(rdb, opts)
	p.now = now
	return &Stepper{Presence: p, worker: newWorker(p)}
}

// Turn is what Run does on a tick (beat), or when something is to be written.
func (s *Stepper) Turn(ctx context.Context, beat bool) { s.worker.turn(ctx, beat) }

// End is what Run does at its end.
func (s *Stepper) End(ctx context.Context) { s.worker.leave(ctx) }

// Flights share look-ups.
type Flights = flights

// Join joins a look-up; the answer may be read once it has landed.
func (f *Flights) Join(
	room int64, ask func(context.Context, int64) (event.Online, error),
) (landed chan struct{}, answer func() event.Online) {
	flight := f.join(room, ask)
	return flight.landed, func() event.Online { return flight.online }
}
