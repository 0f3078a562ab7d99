package session

import (
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// disconnect ends the session as the client wishes: the RECEIPT is the last frame, and what the client sends after
// DISCONNECT is not looked at (STOMP 1.2, "DISCONNECT"). Open transactions are aborted with the session.
func (s *session) disconnect(f *stomp.Frame) error {
	req := requestOf(f)
	if !s.barrier() {
		return nil
	}
	s.answer(req, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endAfterWindow(&ending{code: transport.CloseNormal, reason: "bye"})
	return nil
}
