package sockjs

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// farewellTime is how long a WebSocket may take for its close frame.
const farewellTime = time.Second

// WebSocket is a WebSocket with SockJS framing; it implements session.Conn. The WebSocket is its session: it can be
// opened on any gateway, and its session id means nothing. It sends no h-frames, for its pings do that work.
type WebSocket struct {
	pipe  Pipe
	limit int      // of one message
	inbox [][]byte // of the message read last; used by Read alone

	heard   atomic.Bool // the server has said something
	writing sync.Mutex  // held during a write, so that a close frame comes between messages
	closed  atomic.Pointer[transport.ClosedError]
}

// frames are buffers for writing, so that an idle session holds none.
var frames = sync.Pool{New: func() any { return new([]byte) }}

// maxKept is the largest buffer that is kept for others.
const maxKept = 128 << 10

func release(frame *[]byte) {
	if cap(*frame) <= maxKept {
		frames.Put(frame)
	}
}

// Frame opens a SockJS session on a fresh WebSocket: it sends the open frame. What the pipe's Read and Write end with,
// the session's do. Messages above maxMessage bytes close with 1009; the pipe has to let larger ones through, for they
// grow by JSON's escapes (see FrameLimit).
func Frame(ctx context.Context, pipe Pipe, maxMessage int) (*WebSocket, error) {
	if err := pipe.Write(ctx, [][]byte{[]byte(frameOpen)}); err != nil {
		return nil, err
	}
	return &WebSocket{pipe: pipe, limit: maxMessage}, nil
}

// FrameLimit is how large a frame may be that holds a message of the largest size, or several smaller ones.
func FrameLimit(maxMessage int) int { return bodyFactor * maxMessage }

// earlyLimit is how large a frame of a stranger may be, in bytes: of one whom the server has not said a word to. A CONNECT
// with every character escaped fits.
const earlyLimit = 64 << 10

func frameLimit(maxMessage int, heard bool) int {
	if !heard {
		return min(earlyLimit, FrameLimit(maxMessage))
	}
	return FrameLimit(maxMessage)
}

// Read returns the next message of the client; several that came together are returned one by one. Broken JSON closes
// with 1002.
func (s *WebSocket) Read(ctx context.Context) ([]byte, error) {
	for len(s.inbox) == 0 {
		s.inbox = nil // an idle session holds no buffer
		p, err := s.pipe.ReadMessage(ctx, nil, frameLimit(s.limit, s.heard.Load()))
		if err != nil {
			return nil, err
		}
		if s.inbox, err = parseMessages(p); err != nil {
			_ = s.pipe.Close(transport.CloseProtocol, "Broken JSON encoding.")
		}
		if longest(s.inbox) > s.limit {
			s.inbox = nil
			_ = s.pipe.Close(transport.CloseTooLarge, fmt.Sprintf("message above %d bytes", s.limit))
		}
	}
	message := s.inbox[0]
	s.inbox = s.inbox[1:]
	return message, nil
}

// Write sends messages, all in one frame.
func (s *WebSocket) Write(ctx context.Context, messages [][]byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if closed := s.closed.Load(); closed != nil {
		return closed
	}
	if len(messages) == 0 {
		return s.pipe.Write(ctx, nil)
	}
	s.heard.Store(true)
	frame := frames.Get().(*[]byte)
	defer release(frame)
	list := append((*frame)[:0], "a["...)
	for i, message := range messages {
		if i > 0 {
			list = append(list, ',')
		}
		list = appendQuoted(list, message, false)
	}
	*frame = append(list, ']')
	return s.pipe.Write(ctx, [][]byte{*frame})
}

// Close sends the close frame and closes the WebSocket with the same code and reason. A write that is stuck is not
// waited for.
func (s *WebSocket) Close(code transport.CloseCode, reason string) error {
	reason = transport.MendReason(reason)
	first := s.closed.CompareAndSwap(nil, &transport.ClosedError{Code: code, Reason: reason})
	if first && s.writing.TryLock() {
		ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
		_ = s.pipe.Write(ctx, [][]byte{closeFrame(code, reason)}) // the WebSocket's own close says the same
		cancel()
		s.writing.Unlock()
	}
	return s.pipe.Close(code, reason)
}
