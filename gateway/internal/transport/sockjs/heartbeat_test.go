package sockjs_test

import (
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs/sockjstest"
)

// A request that has waited in silence is answered with h, so that nothing between takes it for dead: a poll ends with
// it, a stream goes on and gets one after another.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	s, conns := accepting(t, sockjs.Options{Tuning: sockjs.Tuning{Heartbeat: 20 * time.Millisecond}})
	url := sockjstest.Session("/ws")
	s.Poll(url, "o\n")
	c := <-conns
	s.Poll(url, "h\n")
	s.Poll(url, "h\n")
	if err := c.Write(t.Context(), [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	s.Poll(url, "a[\"x\"]\n")
	stream := s.Start("POST", url+"/xhr_streaming", "")
	stream.Chunk() // the prelude
	for range 3 {
		if got := stream.Chunk(); got != "h\n" {
			t.Fatalf("the stream says %q, want h", got)
		}
	}
}
