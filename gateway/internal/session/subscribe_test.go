package session_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/transport"
)

const (
	topic1   = "destination:/topic/chat/1"
	errorsTo = "destination:/user/queue/errors"
)

func forbidEverything(c *client) {
	c.hub.Refuse = func(string, event.Log) error {
		return &event.Error{Code: event.Forbidden, Message: "no such room, or you are not a member"}
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	live := []string{"RECEIPT receipt-id:r"}
	protocol := transport.CloseProtocol
	tell(t, []story{
		{name: "a room", version: "1.2", steps: []step{{frame("SUBSCRIBE", "id:1", topic1, "receipt:r"), live}}},
		{name: "the inbox", version: "1.2", steps: []step{{
			frame("SUBSCRIBE", "id:1", "destination:/user/queue/messages", "receipt:r"), live,
		}}},
		{name: "the errors queue", version: "1.2", steps: []step{{
			frame("SUBSCRIBE", "id:1", errorsTo, "receipt:r"), live,
		}}},
		{name: "without a receipt", version: "1.2", steps: []step{{frame("SUBSCRIBE", "id:1", topic1), nil}}},
		{name: "a selector is data", version: "1.2", steps: []step{{
			frame("SUBSCRIBE", "id:1", topic1, "selector:T(java.lang.Runtime)", "receipt:r"), live,
		}}},
		{name: "a transaction header is ignored", version: "1.2", steps: []step{{
			frame("SUBSCRIBE", "id:1", topic1, "transaction:none", "receipt:r"), live,
		}}},
		{name: "without id in 1.2", version: "1.2", close: protocol, steps: []step{{
			frame("SUBSCRIBE", topic1, "receipt:r"), []string{"ERROR message:missing header code:INVALID receipt-id:r"},
		}}},
		{name: "without id in 1.1", version: "1.1", close: protocol, steps: []step{{
			frame("SUBSCRIBE", topic1), []string{"ERROR message:missing header code:INVALID"},
		}}},
		{name: "without id in 1.0", version: "1.0", steps: []step{{frame("SUBSCRIBE", topic1, "receipt:r"), live}}},
		{name: "with a very long id", version: "1.2", close: protocol, steps: []step{{
			frame("SUBSCRIBE", "id:"+strings.Repeat("x", 256), topic1), []string{"ERROR message:header too long..."},
		}}},
		{name: "without destination", version: "1.2", close: protocol, steps: []step{{
			frame("SUBSCRIBE", "id:1"), []string{"ERROR message:missing header code:INVALID"},
		}}},
		{name: "the same id twice", version: "1.2", close: protocol, steps: []step{
			{frame("SUBSCRIBE", "id:1", topic1), nil},
			{
				frame("SUBSCRIBE", "id:1", "destination:/topic/chat/2", "receipt:r"),
				[]string{"ERROR message:subscription exists code:INVALID receipt-id:r"},
			},
		}},
		{name: "the same destination twice in 1.0", version: "1.0", close: protocol, steps: []step{
			{frame("SUBSCRIBE", topic1), nil},
			{frame("SUBSCRIBE", topic1), []string{"ERROR message:subscription exists code:INVALID"}},
		}},
		{name: "unknown ack mode", version: "1.2", close: protocol, steps: []step{{
			frame("SUBSCRIBE", "id:1", topic1, "ack:never"), []string{"ERROR message:bad ack mode code:INVALID"},
		}}},
		{
			name: "refused, without errors queue", version: "1.2", setup: forbidEverything, close: transport.ClosePolicy,
			steps: []step{{
				frame("SUBSCRIBE", "id:1", topic1, "receipt:r"),
				[]string{"ERROR message:FORBIDDEN code:FORBIDDEN receipt-id:r"},
			}},
		},
		{name: "refused, with errors queue", version: "1.2", setup: forbidEverything, steps: []step{
			{frame("SUBSCRIBE", "id:e", errorsTo), nil},
			{frame("SUBSCRIBE", "id:1", topic1, "receipt:r"), []string{
				"MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR" +
					" | FORBIDDEN,/topic/chat/1,r,",
			}},
			{frame("SUBSCRIBE", "id:1", topic1), []string{
				"MESSAGE subscription:e destination:/user/queue/errors message-id:S-2 event:ERROR" +
					" | FORBIDDEN,/topic/chat/1,,",
			}},
		}},
		{
			name: "the hub fails for a reason of its own", version: "1.2", close: transport.CloseInternal,
			setup: func(c *client) { c.hub.Refuse = func(string, event.Log) error { return errSecret } },
			steps: []step{{frame("SUBSCRIBE", "id:1", topic1), []string{"ERROR message:INTERNAL code:INTERNAL"}}},
		},
	})
}

func TestSubscribeRefusesDestinations(t *testing.T) {
	t.Parallel()
	for _, destination := range []string{
		"/user/bob/queue/messages", "/queue/messages-userX", "/queue/**", "/user/../queue/errors", "/topic/chat/*",
		"/topic/chat/>", "/topic/chat/01", "/topic/chat/-1", "/topic/chat/1/x", "/topic/chat/%2F", "/app/chat/1/send",
		"/topic/chat/99999999999999999999", "/topic/chat/",
	} {
		t.Run(strings.ReplaceAll(destination, "/", "_"), func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect("1.2")
				c.send(frame("SUBSCRIBE", "id:e", errorsTo))
				c.send(frame("SUBSCRIBE", "id:1", "destination:"+destination, "receipt:r"))
				c.expect("MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR" +
					" | INVALID," + destination + ",r,")
				c.expectClose(0)
				if n := len(c.hub.LastSeqs()); n != 0 {
					t.Errorf("the hub was asked %d times for %s", n, destination)
				}
			})
		})
	}
}

func TestSubscribeLastSeq(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]int64{
		"": -1, "last-seq:0": 0, "last-seq:7": 7, "last-seq:9223372036854775807": 1<<63 - 1,
	} {
		t.Run("good "+header, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect("1.2")
				c.send(frame(slices.DeleteFunc([]string{"SUBSCRIBE", "id:1", topic1, header, "receipt:r"},
					func(line string) bool { return line == "" })...))
				c.expect("RECEIPT receipt-id:r")
				if got := c.hub.LastSeqs(); !slices.Equal(got, []int64{want}) {
					t.Errorf("the hub was asked for last seqs %d, want %d", got, want)
				}
			})
		})
	}
	for _, value := range []string{"", "-1", "+1", "x", "1.0", "9223372036854775808", " 1"} {
		t.Run("bad "+value, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect("1.2")
				c.send(frame("SUBSCRIBE", "id:1", topic1, "last-seq:"+value, "receipt:r"))
				c.expect("ERROR message:INVALID code:INVALID receipt-id:r")
				c.expectClose(transport.CloseProtocol)
			})
		})
	}
}

func TestThreat42Subscriptions(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		for i := range 128 {
			c.send(frame("SUBSCRIBE", fmt.Sprint("id:", i), fmt.Sprint("destination:/topic/chat/", i+1)))
		}
		c.expectClose(0)
		c.send(frame("UNSUBSCRIBE", "id:5"))
		c.send(frame("SUBSCRIBE", "id:again", topic1, "receipt:r"))
		c.expect("RECEIPT receipt-id:r")
		c.send(frame("SUBSCRIBE", "id:more", topic1, "receipt:r"))
		c.expect("ERROR message:too many subscriptions code:INVALID receipt-id:r")
		c.expectClose(transport.ClosePolicy)
	})
}

func TestSubscribeReceiptMeansLive(t *testing.T) {
	t.Parallel()
	setup := func(c *client) { c.hub.Gate = make(chan struct{}) }
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1, "receipt:r"))
		c.expect()
		close(c.hub.Gate)
		c.expect("RECEIPT receipt-id:r")
		if n := c.hub.Subscriptions(); n != 1 {
			t.Errorf("%d subscriptions in the hub, want 1", n)
		}
	})
}

func TestMessageHeadersAndOneMessagePerSubscription(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", `id:a\cb`, topic1) + frame("SUBSCRIBE", "id:2", topic1))
		c.hub.Publish(room(1), message(room(1), 7, "1-7"))
		c.expect(
			`MESSAGE subscription:a\cb destination:/topic/chat/1 message-id:1-7 event:MESSAGE seq:7 | {"event":"MESSAGE"}`,
			`MESSAGE subscription:2 destination:/topic/chat/1 message-id:1-7 event:MESSAGE seq:7 | {"event":"MESSAGE"}`,
		)
	})
}

func TestReplayComesBeforeTheReceiptAndMayExceedTheQueue(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.cfg.SendQueue = 1000
		for seq := range int64(50) {
			c.hub.Publish(room(1), message(room(1), seq+1, fmt.Sprint("1-", seq+1)))
		}
	}
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.conn.Stall()
		c.send(frame("SUBSCRIBE", "id:1", topic1, "last-seq:10", "receipt:r1"))
		c.send(frame("SUBSCRIBE", "id:2", topic1, "last-seq:0", "receipt:r2"))
		if n := c.hub.Subscriptions(); n != 1 {
			t.Errorf("%d replays at a time, want the second one to wait for the first", n)
		}
		c.conn.Resume()
		out := c.out()
		if len(out) != 92 || !strings.Contains(out[0], "seq:11") || out[40] != "RECEIPT receipt-id:r1 seq:50" ||
			!strings.Contains(out[41], "seq:1 ") || out[91] != "RECEIPT receipt-id:r2 seq:50" {
			t.Errorf("got %d frames:\n%s", len(out), strings.Join(out, "\n"))
		}
		c.expectClose(0)
	})
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	done := []string{"RECEIPT receipt-id:r"}
	tell(t, []story{
		{name: "by id", version: "1.2", steps: []step{
			{frame("SUBSCRIBE", "id:1", topic1), nil},
			{frame("UNSUBSCRIBE", "id:1", "receipt:r"), done},
			{frame("SUBSCRIBE", "id:1", topic1, "receipt:r"), done},
		}},
		{name: "an unknown id", version: "1.2", steps: []step{{frame("UNSUBSCRIBE", "id:9", "receipt:r"), done}}},
		{name: "twice", version: "1.2", steps: []step{
			{frame("SUBSCRIBE", "id:1", topic1), nil},
			{frame("UNSUBSCRIBE", "id:1"), nil},
			{frame("UNSUBSCRIBE", "id:1", "receipt:r"), done},
		}},
		{name: "without id in 1.1", version: "1.1", close: transport.CloseProtocol, steps: []step{{
			frame("UNSUBSCRIBE", topic1), []string{"ERROR message:missing header code:INVALID"},
		}}},
		{name: "by destination in 1.0", version: "1.0", steps: []step{
			{frame("SUBSCRIBE", topic1), nil},
			{frame("UNSUBSCRIBE", topic1, "receipt:r"), done},
			{frame("SUBSCRIBE", topic1, "receipt:r"), done},
		}},
		{name: "by destination in 1.0 what had an id", version: "1.0", steps: []step{
			{frame("SUBSCRIBE", "id:x", topic1), nil},
			{frame("UNSUBSCRIBE", topic1, "receipt:r"), done},
			{frame("SUBSCRIBE", "id:x", topic1, "receipt:r"), done},
		}},
		{name: "neither id nor destination in 1.0", version: "1.0", close: transport.CloseProtocol, steps: []step{{
			frame("UNSUBSCRIBE"), []string{"ERROR message:missing header code:INVALID"},
		}}},
		{name: "the errors queue", version: "1.2", close: transport.CloseProtocol, steps: []step{
			{frame("SUBSCRIBE", "id:e", errorsTo), nil},
			{frame("UNSUBSCRIBE", "id:e", "receipt:r"), done},
			{frame("SEND", "destination:/topic/chat/1"), []string{"ERROR message:INVALID code:INVALID"}},
		}},
	})
}

func TestUnsubscribeEndsWhatTheSessionKnowsNotWhatTheFrameSays(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1) + frame("SUBSCRIBE", "id:2", "destination:/topic/chat/2"))
		c.send(frame("UNSUBSCRIBE", "id:1", "destination:/topic/chat/2", "receipt:r"))
		c.expect("RECEIPT receipt-id:r")
		c.hub.Publish(room(1), message(room(1), 1, "1-1"))
		c.hub.Publish(room(2), message(room(2), 1, "2-1"))
		c.expect("MESSAGE subscription:2...")
		if got := strings.Join(c.presence.Calls(), ";"); got != "connect alice;enter alice 1;enter alice 2;leave alice 1" {
			t.Errorf("presence was told %s", got)
		}
	})
}

func TestLosingARoom(t *testing.T) {
	t.Parallel()
	removed := &event.Error{Code: event.Forbidden, Message: "you are not a member any more"}
	t.Run("with errors queue", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:e", errorsTo) + frame("SUBSCRIBE", "id:1", topic1))
			c.hub.Evict(room(1), "alice", removed)
			c.expect("MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR" +
				" | FORBIDDEN,/topic/chat/1,,")
		})
	})
	t.Run("without errors queue", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1))
			c.hub.Evict(room(1), "alice", removed)
			c.expect("MESSAGE subscription:1 destination:/topic/chat/1 message-id:S-1 event:ERROR" +
				" | FORBIDDEN,/topic/chat/1,,")
		})
	})
	t.Run("the session lives on and may come back", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1) + frame("SUBSCRIBE", "id:2", "destination:/topic/chat/2"))
			sink := c.hub.Sinks(room(1))[0]
			c.hub.Evict(room(1), "alice", removed)
			c.out()
			late := message(room(1), 1, "1-1")
			sink.Deliver(&late)
			sink.End(removed)
			c.expect()
			c.send(frame("SUBSCRIBE", "id:1", topic1, "receipt:s"))
			c.expect("RECEIPT receipt-id:s")
			want := "connect alice;enter alice 1;enter alice 2;leave alice 1;enter alice 1"
			if got := strings.Join(c.presence.Calls(), ";"); got != want {
				t.Errorf("presence was told %s, want %s", got, want)
			}
			c.expectClose(0)
		})
	})
}

func TestPresenceIsNotToldOfTheInbox(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", "destination:/user/queue/messages"))
		inbox := event.Log{User: "alice"}
		c.hub.Publish(inbox, message(inbox, 3, "i-3"))
		c.expect("MESSAGE subscription:1 destination:/user/queue/messages message-id:i-3...")
		if got := strings.Join(c.presence.Calls(), ";"); got != "connect alice" {
			t.Errorf("presence was told %s", got)
		}
	})
}

func TestConnectionLostDuringSubscribe(t *testing.T) {
	t.Parallel()
	setup := func(c *client) { c.hub.Gate = make(chan struct{}) }
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1))
		c.drain() // the session ends while its reader waits for the hub
		c.expectClose(transport.CloseServiceRestart)
		<-c.done
	})
}

func TestSubscriptionNamesItsSession(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.send(frame("CONNECT", "accept-version:1.2"))
		_, rest, _ := strings.Cut(string(c.conn.Take()[0]), "\nsession:")
		id, _, _ := strings.Cut(rest, "\n")
		c.send(frame("SUBSCRIBE", "id:1", topic1))
		if got := c.hub.Sinks(room(1))[0].Session(); got != id {
			t.Errorf("the sink names session %q, want %q", got, id)
		}
	})
}

// The hub hands over a long replay in pages: it waits for the client between them, but not for one that is gone.
func TestReplayWaitsForItsClient(t *testing.T) {
	t.Parallel()
	resume := func(c *client) {
		c.connect("1.2")
		for seq := range int64(3) {
			c.hub.Publish(room(1), large(room(1), seq+1))
		}
		c.conn.Stall()
		c.send(frame("SUBSCRIBE", "id:1", "last-seq:0", topic1, "receipt:live"))
		c.send(frame("SUBSCRIBE", "id:2", topic1))
		if calls := c.presence.Calls(); len(calls) != 1 || c.hub.Subscriptions() != 1 {
			t.Errorf("%d subscriptions and %q while the first replay is not written, want one that is not live yet",
				c.hub.Subscriptions(), calls)
		}
	}
	t.Run("that takes it", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			resume(c)
			c.conn.Resume()
			if out := c.out(); len(out) != 4 || out[3] != "RECEIPT receipt-id:live seq:3" {
				t.Errorf("frames that came out: %q, want three events and the receipt", out)
			}
			if n := c.hub.Subscriptions(); n != 2 {
				t.Errorf("%d subscriptions, want 2", n)
			}
		})
	})
	t.Run("that goes away", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			resume(c)
			c.conn.HangUp(transport.CloseGoingAway)
			<-c.done
		})
	})
	t.Run("that takes nothing", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			resume(c)
			c.pass(c.cfg.SendTimeout + c.cfg.Linger)
			c.expectClose(transport.CloseTryLater)
			<-c.done
		})
	})
}
