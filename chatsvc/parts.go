package chatsvc

import (
	"context"
	"fmt"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/commit"
	"github.com/fliliy/chat/chatsvc/internal/publish"
	"github.com/fliliy/chat/chatsvc/internal/rpc"
)

// parts are what runs, and how it is ended: each part stops before the one it hands its work to.
type parts struct {
	publisher *publish.Publisher
	scribe    *commit.Scribe
	server    *rpc.Server
	admin     *admin
	failed    chan error // what ended a part before stop

	stopScribe, stopPublisher func()
	served, adminServed       <-chan struct{}
}

// start runs all parts, beyond the end of ctx: stop ends them one by one.
func (p *parts) start(ctx context.Context, s *Service) {
	p.stopPublisher = p.background(ctx, "publisher", p.publisher.Run)
	p.stopScribe = p.background(ctx, "scribe", p.scribe.Run)
	p.served = p.serve("gRPC", func() error { return p.server.Serve(s.listener) })
	if s.admin != nil {
		p.adminServed = p.serve("admin", func() error { return p.admin.serve(s.admin) })
	}
}

// background runs a part and returns how to end it: the end of its context, and the wait until it has ended.
func (p *parts) background(ctx context.Context, name string, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := run(ctx); ctx.Err() == nil {
			p.failed <- fmt.Errorf("%s ended by itself: %w", name, err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// serve runs a server, which its own stop ends without an error.
func (p *parts) serve(name string, serve func() error) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := serve(); err != nil {
			p.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
	return ended
}

// stop ends all parts. Calls under way have until the timeout.
func (p *parts) stop(ctx context.Context, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p.admin.drain()
	p.server.Stop(ctx)
	<-p.served
	p.stopScribe()
	p.stopPublisher()
	if p.adminServed != nil {
		p.admin.close()
		<-p.adminServed
	}
}
