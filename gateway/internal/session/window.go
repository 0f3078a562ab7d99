package session

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// The window holds the frames whose outcome is not told yet, in their order. SENDs are pipelined: the reader goes on
// while the chat service works, but a RECEIPT or error goes out only after those of all earlier frames.

// request is what the outcome of a frame has to name.
type request struct {
	receiptID   string // "" when no RECEIPT was asked for
	destination string
	body        []byte
	position    *int64 // of a SUBSCRIBE to a log: where it stands; else nil
	said        int64  // of a single message: its room; else 0
}

func requestOf(f *stomp.Frame) request {
	return request{receiptID: f.Header.Get(receiptHeader), destination: f.Header.Get(destinationHeader)}
}

// pending is a frame in the window.
type pending struct {
	request
	settled bool
	stored  []action.Stored
	cause   *event.Error
}

// admit waits for room in the window and takes a place in it; nil when the session takes no more frames.
func (s *session) admit(req request) *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.awaitWindow(s.cfg.Window - 1) {
		return nil
	}
	p := &pending{request: req}
	s.window = append(s.window, p)
	return p
}

// answer settles a frame whose outcome is known at once; err nil is success.
func (s *session) answer(req request, err error) {
	if p := s.admit(req); p != nil {
		s.settle(p, nil, err)
	}
}

// barrier waits until the outcomes of all earlier frames are told; it says false when the session takes no more.
func (s *session) barrier() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.awaitWindow(0)
}

// awaitWindow waits until at most n frames are in the window, but not for ever: the reader does not notice that its
// client is gone meanwhile. Call it under mu.
func (s *session) awaitWindow(n int) bool {
	if len(s.window) <= n {
		return s.isAlive()
	}
	s.clock.answeredBy = time.Now().Add(s.cfg.AnswerTimeout)
	s.rearm()
	defer func() { s.clock.answeredBy = time.Time{} }()
	for len(s.window) > n && s.isAlive() {
		s.changed.Wait()
	}
	return s.isAlive()
}

// settle notes the outcome of a frame, from any goroutine, and tells all outcomes whose turn has come.
func (s *session) settle(p *pending, stored []action.Stored, err error) {
	var cause *event.Error
	if err != nil {
		cause = s.causeOf(err)
		s.countRefusal(cause.Code)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.settled, p.stored, p.cause = true, stored, cause
	s.tell()
}

// tell tells the outcomes at the head of the window. Call it under mu.
func (s *session) tell() {
	told := 0
	for _, p := range s.window {
		if !p.settled || s.ending != nil {
			break
		}
		told++
		switch {
		case p.cause != nil:
			s.refuse(p.request, p.cause)
		case p.receiptID != "" && s.hears(p.said):
			s.enqueueSoon(item{raw: receiptFrame(s.version, p.request, p.stored)})
		case p.receiptID != "":
			s.enqueue(item{raw: receiptFrame(s.version, p.request, p.stored)})
		}
	}
	if told == 0 {
		return
	}
	s.window = slices.Delete(s.window, 0, told)
	if len(s.window) == 0 {
		s.window = nil
		if s.last != nil {
			s.finish(s.last)
		}
	}
	s.changed.Broadcast()
}

// receiptFrame encodes a RECEIPT. What was stored is named: one element per message, so lists for a transaction. That
// of a SUBSCRIBE names the seq from which a client goes on that is cut off before it got any event.
func receiptFrame(v stomp.Version, req request, stored []action.Stored) []byte {
	header := make(stomp.Header, 1, 4)
	header[0] = stomp.Field{Key: receiptIDHeader, Value: req.receiptID}
	if req.position != nil {
		header = append(header, stomp.Field{Key: "seq", Value: strconv.FormatInt(*req.position, 10)})
	}
	var ids, seqs, duplicates []string
	for _, message := range stored {
		if message.MessageID == "" {
			continue
		}
		ids = append(ids, message.MessageID)
		seqs = append(seqs, strconv.FormatInt(message.Seq, 10))
		duplicates = append(duplicates, strconv.FormatBool(message.Duplicate))
	}
	if len(ids) > 0 {
		header = append(header,
			stomp.Field{Key: messageIDHeader, Value: strings.Join(ids, ",")},
			stomp.Field{Key: "seq", Value: strings.Join(seqs, ",")},
			stomp.Field{Key: "duplicate", Value: strings.Join(duplicates, ",")})
	}
	return stomp.AppendFrame(nil, v, &stomp.Frame{Command: stomp.CmdReceipt, Header: header})
}
