package session_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// moves are what may happen to a session. A program is a list of bytes; each picks one, and the next one its argument.
var moves = []func(c *client, arg int){
	func(c *client, arg int) { c.send(frame("CONNECT", "accept-version:1."+fmt.Sprint(arg%4))) },
	func(c *client, arg int) {
		c.send(frame("CONNECT", "accept-version:1.2", "heart-beat:"+pick(arg, beatHeaders)))
	},
	func(c *client, arg int) { c.send(frame("SUBSCRIBE", id(arg), pick(arg, targets), "receipt:s")) },
	func(c *client, arg int) { c.send(frame("SUBSCRIBE", id(arg), pick(arg/4, targets), "ack:client")) },
	func(c *client, arg int) { c.send(frame("SUBSCRIBE", id(arg), topic1, "last-seq:0", "receipt:s")) },
	func(c *client, arg int) { c.send(frame("UNSUBSCRIBE", id(arg), pick(arg, targets), "receipt:u")) },
	func(c *client, arg int) { c.send(sendTo1(fmt.Sprint(arg))) },
	func(c *client, arg int) { c.send(frameWith("{}", "SEND", pick(arg, targets))) },
	func(c *client, arg int) {
		c.send(frameWith(`{"status":"away"}`, "SEND", "destination:/app/user/status"))
	},
	func(c *client, arg int) { c.send(renewal(pick(arg, []string{"token-alice", "token-bob", ""}))) },
	func(c *client, arg int) {
		c.send(frame(pick(arg, transactional), fmt.Sprint("transaction:", arg%3), "receipt:t"))
	},
	func(c *client, arg int) { c.send(within(fmt.Sprint(arg%3), "/app/chat/1/send", "x", "receipt:w")) },
	func(c *client, arg int) {
		c.send(frame("ACK", fmt.Sprintf("id:%d-%d", arg%3, arg%5), "message-id:1-1", "subscription:"+fmt.Sprint(arg%3)))
	},
	func(c *client, arg int) { c.send(frame("DISCONNECT", "receipt:d")) },
	func(c *client, arg int) { c.send(strings.Repeat("\n", arg%8)) },
	func(c *client, arg int) { c.send(pick(arg, garbage)) },
	func(c *client, arg int) { c.hub.Publish(room(1), large(room(1), int64(arg))) },
	func(c *client, arg int) {
		c.hub.Evict(room(1), "alice", &event.Error{Code: event.Forbidden, Message: "gone"})
	},
	func(c *client, arg int) { c.settleNext(arg%2 == 0) },
	func(c *client, arg int) { c.pass(time.Duration(arg) * 200 * time.Millisecond) },
	func(c *client, arg int) { c.stall(arg%3 == 0) },
	func(c *client, arg int) {
		if arg%16 == 0 {
			c.drain()
		}
	},
	func(c *client, arg int) {
		if arg%16 == 0 {
			c.conn.HangUp(transport.CloseGoingAway)
		}
	},
}

var (
	beatHeaders   = []string{"0,0", "10000,10000", "1000,5000", "x"}
	transactional = []string{"BEGIN", "COMMIT", "ABORT"}
	targets       = []string{
		topic1, "destination:/topic/chat/2", errorsTo, "destination:/user/queue/messages", toRoom1,
		"destination:/app/chat/2/typing", "destination:/nowhere", "destination:",
	}
	garbage = []string{
		"SEND\n", "^@", "\r", "x:y\n\n^@", "SEND\ncontent-length:5\n\nab", "MESSAGE\n\n^@", "\xff\xfe", "BEGIN\na:\\x\n\n^@",
		"SUBSCRIBE\nid:1\n", "content-length:99999999999\n\n",
	}
)

func pick(arg int, from []string) string { return from[arg%len(from)] }

func id(arg int) string { return fmt.Sprint("id:", arg%3) }

// settleNext answers the oldest submission without an answer.
func (c *client) settleNext(well bool) {
	if c.settled == len(c.relay.Submitted()) {
		return
	}
	number := c.settled
	c.settled++
	if well {
		c.relay.Settle(number)
		return
	}
	c.relay.SettleWith(number, nil, &event.Error{Code: event.Forbidden, Message: "no"})
}

func (c *client) stall(yes bool) {
	if yes != c.stalled {
		c.stalled = yes
		if yes {
			c.conn.Stall()
		} else {
			c.conn.Resume()
		}
	}
}

// play runs a program. Whatever happens, an ERROR is the last frame and is followed by a close, and run finds nothing
// left of the session.
func play(t *testing.T, program []byte) {
	t.Helper()
	setup := func(c *client) {
		c.relay.Hold, c.cfg.SendQueue, c.cfg.Window = true, 5000, 8
	}
	run(t, setup, func(c *client) {
		for i := 0; i+1 < len(program); i += 2 {
			moves[int(program[i])%len(moves)](c, int(program[i+1]))
		}
		c.stall(false)
		out := c.out()
		for i, line := range out {
			if strings.HasPrefix(line, "ERROR") {
				if i != len(out)-1 {
					t.Errorf("%d frames follow %q", len(out)-1-i, line)
				}
				c.pass(c.cfg.Linger)
				if c.conn.Open() {
					t.Errorf("the connection is open after %q", line)
				}
			}
		}
		for _, submission := range c.relay.Submitted() {
			if submission.User != "alice" || !known(submission.Actions) {
				t.Errorf("submitted %+v", submission)
			}
		}
	})
}

func known(actions []action.Action) bool {
	for _, act := range actions {
		if act.Room < 1 || act.Verb < action.Send || act.Verb > action.Typing {
			return false
		}
	}
	return len(actions) > 0
}

func TestSessionsSurviveAnything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		program := []byte{0, 2} // most programs begin with a CONNECT
		if seed%10 == 0 {
			program = nil
		}
		for range 2 * (5 + random.IntN(60)) {
			program = append(program, byte(random.IntN(256)))
		}
		play(t, program)
		if t.Failed() {
			t.Fatalf("seed %d: program %v", seed, program)
		}
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 2, 2, 0, 6, 1, 18, 0, 13, 0})
	f.Add([]byte{0, 2, 4, 1, 20, 0, 16, 1, 16, 2, 16, 3, 16, 4, 16, 5, 19, 50})
	f.Add([]byte{1, 1, 10, 0, 11, 0, 10, 1, 18, 1, 19, 200})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 400 {
			program = program[:400]
		}
		play(t, program)
	})
}

// FuzzBytes throws bytes at a connected session, cut in two anywhere.
func FuzzBytes(f *testing.F) {
	f.Add([]byte("SEND\ndestination:/app/chat/1/send\n\nhello\x00"), 7)
	f.Add([]byte("SUBSCRIBE\nid:1\ndestination:/topic/chat/1\nack:client\n\n\x00ACK\nid:1-1\n\n\x00"), 20)
	f.Add([]byte("BEGIN\ntransaction:t\n\n\x00COMMIT\ntransaction:t\nreceipt:r\n\n\x00"), 3)
	f.Fuzz(func(t *testing.T, input []byte, cut int) {
		run(t, nil, func(c *client) {
			c.connect("1.2")
			cut = min(max(cut, 0), len(input))
			c.conn.Send(input[:cut])
			c.conn.Send(input[cut:])
			c.out()
		})
	})
}
