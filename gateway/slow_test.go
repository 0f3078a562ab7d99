package gateway_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

const (
	crowdSize = 50
	bodySize  = 32 << 10
	// kernelBuffers is more than the kernel holds for a socket that nobody reads from.
	kernelBuffers = 8 << 20
)

// A client stops reading in a room with many members: what is kept for it is bounded, it is closed, the others get
// everything, and so does it once it is back.
func TestSlowConsumerInALargeRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Limits.SendQueueBytes = 128 << 10
	r.start()
	got := make(chan int64, crowdSize) // the seq of what any of the others received
	failed := make(chan error, crowdSize)
	for i := range crowdSize {
		c := r.connect("user" + strconv.Itoa(i))
		c.send(subscribe + "\n")
		c.want(stomp.CmdReceipt, "receipt-id", "live")
		go c.follow(got, failed)
	}
	slow := r.connect("slow")
	slow.send(subscribe + "\n")
	slow.want(stomp.CmdReceipt, "receipt-id", "live")

	last := int64(0)
	for closed := false; !closed; {
		last++
		if last*bodySize > kernelBuffers {
			t.Fatalf("%d messages of %d bytes wait for one client, whose queue is %d bytes", last, bodySize,
				r.cfg.Limits.SendQueueBytes)
		}
		if _, err := r.service.add([]byte(strings.Repeat("x", bodySize))); err != nil {
			t.Fatal(err)
		}
		for range crowdSize {
			select {
			case seq := <-got:
				if seq != last {
					t.Fatalf("one of the others got %d while %d was the newest", seq, last)
				}
			case err := <-failed:
				t.Fatalf("one of the others: %v", err)
			}
		}
		_, metrics := r.ask("GET", "http://"+r.AdminAddr()+"/metrics")
		closed = strings.Contains(metrics, "fliliy_gateway_slow_consumers_total 1\n")
	}

	seen := slow.drain()
	back := r.connect("slow")
	back.send(subscribe + fmt.Sprintf("last-seq:%d\n\n", seen))
	for seq := seen + 1; seq <= last; seq++ {
		if f := back.next(); f.Header.Get("seq") != strconv.FormatInt(seq, 10) {
			t.Fatalf("after %d of %d the client that came back got %s %v", seq-1, last, f.Command, f.Header)
		}
	}
	back.want(stomp.CmdReceipt, "receipt-id", "live")
}

// follow reports the seq of each event, until the session ends with the test.
func (c *client) follow(got chan<- int64, failed chan<- error) {
	for {
		f, err := c.read()
		var seq int64
		if err == nil {
			seq, err = strconv.ParseInt(f.Header.Get("seq"), 10, 64)
		}
		if err != nil {
			failed <- err
			return
		}
		got <- seq
	}
}

// drain reads what is still there for a client that was closed, and returns the last seq it has. It may or may not get
// as far as the ERROR frame and the close code; another one it must not get.
func (c *client) drain() (last int64) {
	for {
		f, err := c.read()
		if err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) && closed.Code != websocket.StatusTryAgainLater {
				c.t.Errorf("the slow client was closed with %v, want 1013", closed)
			}
			return last
		}
		if f.Command == stomp.CmdError {
			if code := f.Header.Get("code"); code != "SLOW_CONSUMER" {
				c.t.Errorf("the slow client was told %s, want SLOW_CONSUMER", code)
			}
			continue
		}
		last++
		if f.Header.Get("seq") != strconv.FormatInt(last, 10) {
			c.t.Errorf("the slow client got %v after %d", f.Header, last-1)
		}
	}
}
