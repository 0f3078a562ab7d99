package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Limits of one RelayRequest. A single command that is larger travels alone.
const (
	maxBatchCommands = 256
	maxBatchBytes    = 256 << 10
)

// Adder is what the relay needs of a Prometheus counter or gauge.
type Adder interface{ Add(float64) }

// Options of a Relay. The zero value is ready to use.
type Options struct {
	// Streams is the number of lanes, each with a stream of its own; 0 is 1.
	Streams int
	// QueueCommands and QueueBytes bound what one lane holds, sent or not, until it is answered; 0 is 8,192 commands
	// and 32 MiB. What comes beyond is refused at once.
	QueueCommands, QueueBytes int
	// Timeout is how long a command waits for its answer, and a call on a log for its result; 0 is 4.5 s for commands,
	// so that clients have their answer within 5 s, and 5 s for calls.
	Timeout time.Duration
	// Life is about how long a stream is used; then the lane moves on to a new one, without a command being lost, so that
	// replicas which have come since get their share, and a connection that the service wants to end is empty in time
	// (its grace for that is 30 s). 0 is 20 s, negative is for ever.
	Life time.Duration
	// Linger is how long Run goes on, once its context has ended, for answers that are still to come; 0 is 1 s.
	Linger time.Duration
	// Logger gets a line when streams come and go; nil is slog.Default().
	Logger *slog.Logger
	// Commands counts commands sent, InFlight those without an answer yet. Nil: not counted.
	Commands, InFlight Adder
}

func (o Options) withDefaults() Options {
	o.Streams = max(o.Streams, 1)
	if o.QueueCommands <= 0 {
		o.QueueCommands = 8192
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 32 << 20
	}
	if o.Life == 0 {
		o.Life = 20 * time.Second
	}
	if o.Linger <= 0 {
		o.Linger = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Commands == nil {
		o.Commands = uncounted{}
	}
	if o.InFlight == nil {
		o.InFlight = uncounted{}
	}
	return o
}

type uncounted struct{}

func (uncounted) Add(float64) {}

// Relay carries commands and asks about logs. All methods are safe for concurrent use.
type Relay struct {
	client      chatv1.RelayServiceClient
	logger      *slog.Logger
	callTimeout time.Duration
	linger      time.Duration
	lanes       []*lane
	arrivals    arrivals
}

// New makes a relay on a connection (see Dial). Commands wait until Run is called.
func New(cc grpc.ClientConnInterface, opts Options) *Relay {
	r := &Relay{
		client:      chatv1.NewRelayServiceClient(cc),
		callTimeout: opts.Timeout,
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 4500 * time.Millisecond
		r.callTimeout = 5 * time.Second
	}
	opts = opts.withDefaults()
	r.logger, r.linger = opts.Logger, opts.Linger
	r.arrivals.relay = r
	for i := range opts.Streams {
		r.lanes = append(r.lanes, newLane(i, r.client, opts))
	}
	return r
}

// Run keeps the streams up until the context ends. Then it takes no more commands, waits a moment (Options.Linger)
// for the answers of those it has, ends the rest as UNAVAILABLE and returns nil. It is called once.
func (r *Relay) Run(ctx context.Context) error {
	streams, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	for _, l := range r.lanes {
		running.Go(func() { l.run(streams) })
	}
	<-ctx.Done()
	r.drain()
	cancel()
	running.Wait()
	return nil
}

// drain waits until every lane is empty, for at most the linger time.
func (r *Relay) drain() {
	enough := time.NewTimer(r.linger)
	defer enough.Stop()
	idle := make([]<-chan struct{}, len(r.lanes))
	for i, l := range r.lanes {
		idle[i] = l.stop()
	}
	for _, empty := range idle {
		select {
		case <-empty:
		case <-enough.C:
			return
		}
	}
}

// Submit hands over the actions of one SEND, or of one transaction: all of them take effect, in order, or none. It
// returns at once. Actions on one room take effect in the order of the calls. done is called exactly once, never from
// within Submit, with one Stored per action or an *event.Error; it must not block. The actions and their bodies must
// not be changed afterwards.
func (r *Relay) Submit(user string, actions []action.Action, done func([]action.Stored, error)) {
	if len(actions) == 0 {
		go done(nil, nil)
		return
	}
	c := newCommand(user, actions, done)
	if refusal := r.laneOf(actions[0].Room).submit(c); refusal != nil {
		go done(nil, refusal) // not here: the caller may hold a lock that done wants
	}
}

func (r *Relay) laneOf(room int64) *lane {
	if len(r.lanes) == 1 {
		return r.lanes[0]
	}
	return r.lanes[uint64(room)%uint64(len(r.lanes))] //nolint:gosec // only the residue matters
}

// Ready returns nil while every lane has its stream to the chat service.
func (r *Relay) Ready() error {
	var away []error
	for _, l := range r.lanes {
		if since, up := l.up(); !up {
			away = append(away, fmt.Errorf("stream %d to the chat service is down since %s",
				l.number, since.UTC().Format(time.RFC3339)))
		}
	}
	return errors.Join(away...)
}

// unavailable is the answer to a command that the service did not answer.
func unavailable(message string) *event.Error {
	return &event.Error{Code: event.Unavailable, Message: message, RetryAfter: time.Second}
}
