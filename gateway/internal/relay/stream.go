package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Waits before a stream is opened again: the first, which doubles, and the longest. One that stood for longer than
// the longest wait starts again with the first.
const (
	minWait = 50 * time.Millisecond
	maxWait = 2 * time.Second
)

// errStalled ends a stream that owes answers and gives none, so that the next one may find a replica that does.
var errStalled = errors.New("no answer from the chat service for too long")

// errTurned is how a stream ends that has served its time.
var errTurned = errors.New("the stream has served its time")

// openTime is how long the step from one stream to the next may take before the lane counts as down.
const openTime = time.Second

// run keeps a stream up until the context ends, then ends what the lane still holds.
func (l *lane) run(ctx context.Context) {
	defer l.close()
	logger := l.opts.Logger.With("stream", l.number)
	for wait := minWait; ; wait = min(2*wait, maxWait) {
		began := time.Now()
		err := l.serve(ctx, logger)
		if ctx.Err() != nil {
			return
		}
		inOrder := wire.Told(err, event.Unavailable) // the replica leaves; what it has not answered, it has not taken
		again, lost := l.retire(inOrder)
		if time.Since(began) > maxWait {
			wait = minWait
		}
		if errors.Is(err, errTurned) {
			logger.Debug("relay stream moves on", "sent_again", again, "lost", lost)
			wait = minWait / 2
			continue
		}
		l.down()
		logger.Warn("relay stream ended", "error", err, "in_order", inOrder, "sent_again", again, "lost", lost,
			"retry_in", wait)
		if !l.pause(ctx, wait) {
			return
		}
	}
}

// pause waits about as long as told, and ends commands whose time is over meanwhile. It is false once the context
// has ended.
func (l *lane) pause(ctx context.Context, wait time.Duration) bool {
	//nolint:gosec // jitter needs no secrecy
	ctx, cancel := context.WithTimeoutCause(ctx, wait/2+rand.N(wait), errPaused)
	defer cancel()
	l.watch(ctx, func(error) {})
	return errors.Is(context.Cause(ctx), errPaused)
}

var errPaused = errors.New("paused long enough")

// serve opens a stream and works it until it breaks. It returns why.
func (l *lane) serve(ctx context.Context, logger *slog.Logger) error {
	ctx, abandon := context.WithCancelCause(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer abandon(nil)
	others.Go(func() { l.watch(ctx, abandon) })

	late := time.AfterFunc(openTime, l.down)
	stream, err := l.client.Relay(ctx, grpc.WaitForReady(true))
	late.Stop()
	if err != nil {
		return fmt.Errorf("open stream: %w", because(ctx, err))
	}
	if l.opened() {
		logger.Info("relay stream open")
	}
	var turned atomic.Bool
	others.Go(func() {
		if l.send(ctx, stream) {
			turned.Store(true)
			_ = stream.CloseSend() // receive hears how the stream ends
		}
	})
	err = l.receive(stream)
	if errors.Is(err, io.EOF) && turned.Load() {
		return errTurned
	}
	return because(ctx, err)
}

// because is the cause of the context's end where this side ended the stream, otherwise the error.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// watch looks at deadlines until the context ends, and abandons a stream that gives no answers.
func (l *lane) watch(ctx context.Context, abandon context.CancelCauseFunc) {
	tick := time.NewTicker(max(l.opts.Timeout/64, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if l.expire(now) {
				abandon(errStalled)
			}
		}
	}
}

// send writes what waits, as much of it per request as there is, until the stream ends, or has served its time: then it
// says so. Errors are left to receive: gRPC reports there how a stream ended, after the answers that came before.
func (l *lane) send(
	ctx context.Context, stream grpc.BidiStreamingClient[chatv1.RelayRequest, chatv1.RelayResponse],
) (served bool) {
	life, cancel := l.life(ctx)
	defer cancel()
	request := &chatv1.RelayRequest{}
	for life.Err() == nil {
		request.Commands = l.batch(request.Commands[:0])
		if n := len(request.Commands); n > 0 {
			if stream.Send(request) != nil {
				return false
			}
			l.opts.Commands.Add(float64(n))
			clear(request.Commands)
			continue
		}
		select {
		case <-stream.Context().Done():
			return false
		case <-life.Done():
		case <-l.wake:
		}
	}
	return ctx.Err() == nil
}

// life is the time of one stream, give or take a quarter, so that the gateways do not all move at once.
func (l *lane) life(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.opts.Life < 0 {
		return context.WithCancel(ctx)
	}
	//nolint:gosec // jitter needs no secrecy
	return context.WithTimeout(ctx, l.opts.Life*3/4+rand.N(l.opts.Life/2+1))
}

// receive settles commands until the stream ends.
func (l *lane) receive(stream grpc.BidiStreamingClient[chatv1.RelayRequest, chatv1.RelayResponse]) error {
	for {
		response, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the chat service ended the stream: %w", err)
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		}
		l.settle(response.GetResults())
	}
}
