package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// maxResults is how many results one response carries: a few hundred KiB at most.
const maxResults = 1024

// relayStream is one open relay stream; see the package comment.
type relayStream struct {
	service *relayService
	stream  grpc.BidiStreamingServer[chatv1.RelayRequest, chatv1.RelayResponse]
	window  *window
	units   uint64        // units given to the scribe; the reader's
	wake    chan struct{} // holds a token when there are results, or the last one is in

	mu      sync.Mutex
	closed  bool // nothing more is taken up
	pending int  // jobs taken up and not finished
	ready   []finished
	turns   map[int64]*job // the newest unit under way to each room
}

// finished is a result that waits to be sent.
type finished struct {
	result *chatv1.RelayResult
	size   int
}

// Relay serves one stream of a gateway until the gateway ends it, or the server stops.
func (s *relayService) Relay(stream grpc.BidiStreamingServer[chatv1.RelayRequest, chatv1.RelayResponse]) error {
	s.metrics.RelayStreams.Inc()
	defer s.metrics.RelayStreams.Dec()
	r := &relayStream{
		service: s, stream: stream, window: newWindow(s.opts.Window, s.opts.WindowBytes),
		wake: make(chan struct{}, 1), turns: make(map[int64]*job),
	}
	ended := make(chan error, 1)
	go func() { ended <- r.read() }()
	return r.send(ended)
}

// read takes up commands until the stream ends, or is closed. It returns why.
func (r *relayStream) read() (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.service.metrics.Panics.Inc()
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	for {
		request, err := r.stream.Recv()
		if err != nil {
			return err
		}
		for _, c := range request.GetCommands() {
			size := commandOverhead
			for _, a := range c.GetActions() {
				size += len(a.GetBody())
			}
			if err := r.window.acquire(r.stream.Context(), size); err != nil {
				return err
			}
			if !r.take(c, size) {
				return nil
			}
		}
	}
}

// send sends results until reading has ended and all that was taken up is answered.
func (r *relayStream) send(ended <-chan error) error {
	stopping, aged, end := r.service.stopping, r.age(), error(nil)
	for {
		select {
		case <-r.wake:
		case <-r.stream.Context().Done():
			return r.stream.Context().Err()
		case err := <-ended:
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			ended = nil
			r.close()
		case <-stopping:
			stopping, end = nil, leaving()
			r.close()
		case <-aged:
			end = leaving()
			r.close()
		}
		for {
			response, count, size, more := r.batch()
			if count > 0 {
				if err := r.stream.Send(response); err != nil {
					return err
				}
				r.window.release(count, size)
			}
			if !more {
				return end
			}
			if count == 0 {
				break
			}
		}
	}
}

// age returns a channel that ends the stream when its connection should be given up; nil for never.
func (r *relayStream) age() <-chan time.Time {
	if r.service.opts.MaxConnectionAge <= 0 {
		return nil
	}
	return time.After(r.service.opts.MaxConnectionAge)
}

// leaving is how a stream ends in good order.
func leaving() error {
	return refusalStatus(codes.Unavailable, &chat.Error{
		Code:    chat.Unavailable,
		Message: "this replica ends the stream; commands without a result had no effect: send them on a new stream",
	})
}

// close stops taking up commands.
func (r *relayStream) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
}

// batch takes the results that are ready. more is false once all is answered and nothing will come.
func (r *relayStream) batch() (response *chatv1.RelayResponse, count, size int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	count = min(len(r.ready), maxResults)
	if count > 0 {
		response = &chatv1.RelayResponse{Results: make([]*chatv1.RelayResult, count)}
		for i, f := range r.ready[:count] {
			response.Results[i] = f.result
			size += f.size
		}
		clear(r.ready[:count])
		r.ready = r.ready[count:]
		if len(r.ready) == 0 {
			r.ready = nil
		}
	}
	return response, count, size, !r.closed || r.pending > 0 || len(r.ready) > 0
}

// take takes a command up, unless the stream is closed.
func (r *relayStream) take(c *chatv1.RelayCommand, size int) bool {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.pending++
	}
	r.mu.Unlock()
	if closed {
		return false
	}
	r.service.metrics.RelayInFlight.Inc()
	j := &job{id: c.GetId(), size: size, user: c.GetUserId(), actions: len(c.GetActions())}
	if bad := parse(c, j); bad != nil {
		r.refuse(j, bad.err, bad.action)
		return true
	}
	r.start(j)
	return true
}

// refuse finishes a job that had no effect.
func (r *relayStream) refuse(j *job, err error, action int) {
	refusal := r.service.faults.relayRefusal(err, chatv1.RelayService_Relay_FullMethodName, action)
	r.finish(j, &chatv1.RelayResult{Id: j.id, Refusal: refusal})
	r.service.metrics.RelayResults.WithLabelValues(strings.TrimPrefix(refusal.GetReason().String(), "REASON_")).Inc()
}

// succeed finishes a job that took effect.
func (r *relayStream) succeed(j *job, stored []chat.Stored) {
	r.finish(j, &chatv1.RelayResult{Id: j.id, Stored: j.results(stored)})
	r.service.done.Inc()
}

func (r *relayStream) finish(j *job, result *chatv1.RelayResult) {
	r.mu.Lock()
	r.pending--
	r.ready = append(r.ready, finished{result, j.size})
	r.mu.Unlock()
	r.service.metrics.RelayInFlight.Dec()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// context returns the time that a mark may take.
func (r *relayStream) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.stream.Context(), r.service.opts.CallTimeout)
}
