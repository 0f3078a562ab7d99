package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/metrics"
	"github.com/fliliy/chat/proto/identity"
)

// guard is around every call: it measures it, catches its panics and words its errors.
type guard struct {
	faults   *faults
	metrics  metrics.Counter
	timeout  time.Duration
	stopping <-chan struct{}
}

func (g *guard) measure(ctx context.Context, in any, info *grpc.UnaryServerInfo, call grpc.UnaryHandler) (any, error) {
	start := time.Now()
	out, err := call(ctx, in)
	g.metrics.Seconds.WithLabelValues(info.FullMethod).Observe(time.Since(start).Seconds())
	g.metrics.Calls.WithLabelValues(info.FullMethod, status.Code(err).String()).Inc()
	return out, err
}

// answer makes a status of whatever comes out of a call, a panic included.
func (g *guard) answer(
	ctx context.Context, in any, info *grpc.UnaryServerInfo, call grpc.UnaryHandler,
) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, g.caught(p)
		}
		err = g.faults.status(err, info.FullMethod)
	}()
	return call(ctx, in)
}

// deadline sets one where the caller has set none: no call may hold on to the database for ever.
func (g *guard) deadline(ctx context.Context, in any, _ *grpc.UnaryServerInfo, call grpc.UnaryHandler) (any, error) {
	if _, set := ctx.Deadline(); !set {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.timeout)
		defer cancel()
	}
	return call(ctx, in)
}

func (g *guard) measureStream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, serve grpc.StreamHandler,
) error {
	err := serve(srv, stream)
	g.metrics.Calls.WithLabelValues(info.FullMethod, status.Code(err).String()).Inc()
	return err
}

func (g *guard) answerStream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, serve grpc.StreamHandler,
) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = g.caught(p)
		}
		err = g.faults.status(err, info.FullMethod)
	}()
	return serve(srv, stream)
}

// endOnStop ends streams that are not ours (health watches) when the server stops; relay streams end by themselves, in
// good order.
func (g *guard) endOnStop(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, serve grpc.StreamHandler,
) error {
	if strings.HasPrefix(info.FullMethod, "/"+relayServiceName+"/") {
		return serve(srv, stream)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() {
		select {
		case <-g.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return serve(srv, &streamWithContext{stream, ctx})
}

type streamWithContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamWithContext) Context() context.Context { return s.ctx }

// caught makes an error of a panic; its text and stack are for the log only.
func (g *guard) caught(p any) error {
	g.metrics.Panics.Inc()
	return fmt.Errorf("panic: %v\n%s", p, debug.Stack())
}

type actorKey struct{}

// identify finds out who acts in calls of ChatService. Some methods internal services call in nobody's
// name.
func identify(ctx context.Context, in any, info *grpc.UnaryServerInfo, call grpc.UnaryHandler) (any, error) {
	inName, service := forServices[info.FullMethod]
	if !strings.HasPrefix(info.FullMethod, chatServicePrefix) || service && !inName {
		return call(ctx, in)
	}
	user, err := identity.User(ctx)
	if service && errors.Is(err, identity.ErrNoUser) {
		return call(ctx, in)
	}
	if err != nil {
		return nil, &chat.Error{Code: codeUnauthenticated, Message: err.Error()}
	}
	return call(context.WithValue(ctx, actorKey{}, user), in)
}

// actor returns who acts; identify has put her there.
func actor(ctx context.Context) string {
	user, _ := ctx.Value(actorKey{}).(string)
	return user
}
