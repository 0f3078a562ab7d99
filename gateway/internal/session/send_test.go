package session_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/transport"
)

const toRoom1 = "destination:/app/chat/1/send"

func holdAnswers(c *client) { c.relay.Hold = true }

// sendTo1 is a SEND to room 1 with a receipt.
func sendTo1(receipt string) string {
	return frameWith(`{"content":"x"}`, "SEND", toRoom1, "receipt:"+receipt)
}

func stored(n int) string {
	return fmt.Sprintf("RECEIPT receipt-id:r%d message-id:1-%d seq:%d duplicate:false", n, n, n)
}

func TestSend(t *testing.T) {
	t.Parallel()
	tell(t, []story{
		{name: "a message", version: "1.2", steps: []step{{
			sendTo1("r"), []string{"RECEIPT receipt-id:r message-id:1-1 seq:1 duplicate:false"},
		}}},
		{name: "without a receipt", version: "1.2", steps: []step{{frameWith("x", "SEND", toRoom1), nil}}},
		{name: "a read mark stores nothing", version: "1.2", steps: []step{{
			frame("SEND", "destination:/app/chat/1/read", "receipt:r"), []string{"RECEIPT receipt-id:r"},
		}}},
		{name: "typing stores nothing", version: "1.2", steps: []step{{
			frame("SEND", "destination:/app/chat/1/typing", "receipt:r"), []string{"RECEIPT receipt-id:r"},
		}}},
		{name: "without destination", version: "1.2", close: transport.CloseProtocol, steps: []step{{
			frame("SEND", "receipt:r"), []string{"ERROR message:missing header code:INVALID receipt-id:r"},
		}}},
		{name: "to a topic, with errors queue", version: "1.2", steps: []step{
			{frame("SUBSCRIBE", "id:e", errorsTo), nil},
			{frameWith(`{"clientMessageId":"c1"}`, "SEND", "destination:/topic/chat/1", "receipt:r"), []string{
				"MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR" +
					" | INVALID,/topic/chat/1,r,c1",
			}},
		}},
		{name: "to a topic, without errors queue", version: "1.2", close: transport.CloseProtocol, steps: []step{{
			frame("SEND", "destination:/topic/chat/1", "receipt:r"),
			[]string{"ERROR message:INVALID code:INVALID receipt-id:r"},
		}}},
		{name: "to a user", version: "1.2", close: transport.CloseProtocol, steps: []step{{
			frame("SEND", "destination:/user/bob/queue/messages"), []string{"ERROR message:INVALID code:INVALID"},
		}}},
		{name: "the first destination counts", version: "1.2", steps: []step{{
			frame("SEND", "destination:/app/chat/1/read", "destination:/topic/chat/1", "receipt:r"),
			[]string{"RECEIPT receipt-id:r"},
		}}},
		{name: "a frame over many chunks, and many in one", version: "1.2", steps: []step{
			{"SEND\ndestination:/app/chat/1", nil},
			{"/send\nreceipt:r1\n\n\xe4\xbd", nil},
			{"\xa0^@\n\n" + sendTo1("r2") + sendTo1("r3"), []string{stored(1), stored(2), stored(3)}},
		}},
	})
}

func TestSendPassesOnWhatTheClientSaidAndNothingItClaims(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(frameWith("first", "SEND", toRoom1, "content-type:text/plain", "senderId:bob", "user-name:bob",
			"simpUser:bob") + frameWith("second", "SEND", "destination:/app/chat/2/typing"))
		c.send("\n\n\n\n\n\n\n\n") // the transport's buffer is used again
		got := c.relay.Submitted()
		if len(got) != 2 {
			t.Fatalf("%d submissions, want 2 without waiting for the first answer", len(got))
		}
		first, second := got[0].Actions[0], got[1].Actions[0]
		if got[0].User != "alice" || first.Verb != action.Send || first.Room != 1 ||
			first.ContentType != "text/plain" || string(first.Body) != "first" {
			t.Errorf("submitted %+v as %s", first, got[0].User)
		}
		if second.Verb != action.Typing || second.Room != 2 || second.ContentType != "" ||
			string(second.Body) != "second" {
			t.Errorf("submitted %+v", second)
		}
	})
}

func TestSendDuplicateIsTold(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(sendTo1("r"))
		c.relay.SettleWith(0, []action.Stored{{MessageID: "1-7", Seq: 7, Duplicate: true}}, nil)
		c.expect("RECEIPT receipt-id:r message-id:1-7 seq:7 duplicate:true")
	})
}

func TestReceiptsGoOutInTheOrderOfTheFrames(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(sendTo1("r1") + frame("BEGIN", "transaction:t", "receipt:b") + sendTo1("r2") +
			frame("ABORT", "transaction:t", "receipt:a") + sendTo1("r3"))
		c.relay.SettleWith(2, []action.Stored{{MessageID: "1-3", Seq: 3}}, nil)
		c.expect()
		c.relay.SettleWith(0, []action.Stored{{MessageID: "1-1", Seq: 1}}, nil)
		c.expect(stored(1), "RECEIPT receipt-id:b")
		c.relay.SettleWith(1, []action.Stored{{MessageID: "1-2", Seq: 2}}, nil)
		c.expect(stored(2), "RECEIPT receipt-id:a", stored(3))
	})
}

func TestErrorsGoOutInTheOrderOfTheFrames(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:e", errorsTo))
		c.send(sendTo1("r1") + frame("SEND", "destination:/nowhere", "receipt:r2") + sendTo1("r3"))
		c.expect()
		c.relay.SettleWith(1, nil, &event.Error{
			Code: event.RateLimited, Message: "slow down", ClientMessageID: "c3", RetryAfter: 1500 * time.Millisecond,
		})
		c.expect()
		c.relay.SettleWith(0, []action.Stored{{MessageID: "1-1", Seq: 1}}, nil)
		synctest.Wait()
		out := c.conn.Take()
		if len(out) != 3 || c.render(out[0]) != stored(1) ||
			!strings.HasSuffix(c.render(out[1]), "| INVALID,/nowhere,r2,") ||
			!strings.HasSuffix(c.render(out[2]), "| RATE_LIMITED,/app/chat/1/send,r3,c3") {
			t.Fatalf("frames that came out: %q", out)
		}
		want := `{"event":"ERROR","code":"RATE_LIMITED","message":"slow down","destination":"/app/chat/1/send",` +
			`"receiptId":"r3","clientMessageId":"c3","retryAfterMs":1500}`
		if !strings.HasSuffix(string(out[2]), "\n\n"+want+"\x00") {
			t.Errorf("ERROR event %q, want body %s", out[2], want)
		}
	})
}

func TestRefusedSendWithoutErrorsQueueEndsTheSession(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(sendTo1("r1") + sendTo1("r2") + sendTo1("r3"))
		c.relay.SettleWith(1, nil, &event.Error{Code: event.Forbidden, Message: "not a member"})
		c.relay.SettleWith(2, make([]action.Stored, 1), nil)
		c.relay.SettleWith(0, []action.Stored{{MessageID: "1-1", Seq: 1}}, nil)
		c.expect(stored(1), "ERROR message:FORBIDDEN code:FORBIDDEN receipt-id:r2")
		c.expectClose(transport.ClosePolicy)
	})
}

func TestRefusedSendNamesItsClientMessage(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.relay.Refuse = func(string, []action.Action) error {
			return &event.Error{Code: event.Unavailable, Message: "try again", RetryAfter: time.Second}
		}
	}
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:e", errorsTo))
		c.send(frameWith(`{"clientMessageId":"c1"}`, "SEND", toRoom1))
		c.expect("MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR" +
			" | UNAVAILABLE,/app/chat/1/send,,c1")
	})
}

func TestRelayThatTellsTooLittleIsAFaultOfOurs(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(sendTo1("r1"))
		c.relay.SettleWith(0, nil, nil)
		c.expect("ERROR message:INTERNAL code:INTERNAL receipt-id:r1")
	})
}

func TestFullWindowHoldsTheReader(t *testing.T) {
	t.Parallel()
	setup := func(c *client) { c.relay.Hold, c.cfg.Window = true, 4 }
	run(t, setup, func(c *client) {
		c.connect("1.2")
		for n := range 6 {
			c.conn.Send([]byte(strings.ReplaceAll(sendTo1(fmt.Sprint("r", n+1)), "^@", "\x00")))
		}
		c.expect()
		if n := len(c.relay.Submitted()); n != 4 {
			t.Errorf("%d submissions are outstanding, want 4", n)
		}
		c.relay.Settle(0)
		c.expect(stored(1))
		if n := len(c.relay.Submitted()); n != 5 {
			t.Errorf("%d submissions after one answer, want 5", n)
		}
		for n := 1; n < 6; n++ {
			c.relay.Settle(n)
			c.out()
		}
	})
}

func TestBarriersWaitForEarlierSends(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, in string
		want       string
	}{
		"SUBSCRIBE":   {"", frame("SUBSCRIBE", "id:9", topic1, "receipt:b"), "RECEIPT receipt-id:b"},
		"UNSUBSCRIBE": {"", frame("UNSUBSCRIBE", "id:1", "receipt:b"), "RECEIPT receipt-id:b"},
		"DISCONNECT":  {"", frame("DISCONNECT", "receipt:b"), "RECEIPT receipt-id:b"},
		"COMMIT": {
			frame("BEGIN", "transaction:t"), frame("COMMIT", "transaction:t", "receipt:b"), "RECEIPT receipt-id:b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, holdAnswers, func(c *client) {
				c.connect("1.2")
				c.send(frame("SUBSCRIBE", "id:1", topic1) + test.before)
				c.send(sendTo1("r1") + test.in)
				c.expect()
				if n := c.hub.Subscriptions(); n != 1 {
					t.Errorf("%d subscriptions before the SEND is stored, want 1", n)
				}
				c.expectClose(0)
				c.relay.Settle(0)
				c.expect(stored(1), test.want)
			})
		})
	}
}

func TestAnswersAfterTheEndAreNobodysProblem(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(sendTo1("r1"))
		c.conn.HangUp(transport.CloseGoingAway)
		<-c.done
		c.relay.Settle(0)
		c.expect()
	})
}

func TestProtocolErrorComesAfterEarlierOutcomes(t *testing.T) {
	t.Parallel()
	t.Run("that come", func(t *testing.T) {
		t.Parallel()
		run(t, holdAnswers, func(c *client) {
			c.connect("1.2")
			c.send(sendTo1("r1") + "NONSENSE\n\n^@")
			c.expect()
			c.relay.Settle(0)
			c.expect(stored(1), "ERROR message:unknown command code:INVALID")
			c.expectClose(transport.CloseProtocol)
		})
	})
	t.Run("but does not wait for ever", func(t *testing.T) {
		t.Parallel()
		run(t, holdAnswers, func(c *client) {
			c.connect("1.2")
			c.send(sendTo1("r1") + "NONSENSE\n\n^@")
			c.pass(c.cfg.Linger)
			c.expect("ERROR message:unknown command code:INVALID")
			c.expectClose(transport.CloseProtocol)
		})
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"online", "away", "busy"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect("1.2")
				c.send(frameWith(`{"status":"`+status+`"}`, "SEND", "destination:/app/user/status", "receipt:r"))
				c.expect("RECEIPT receipt-id:r")
				if got := strings.Join(c.presence.Calls(), ";"); got != "connect alice;status alice "+status {
					t.Errorf("presence was told %s", got)
				}
			})
		})
	}
	for name, body := range map[string]string{
		"unknown": `{"status":"offline"}`, "missing": `{}`, "no JSON": `away`, "empty": "", "a number": `{"status":1}`,
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect("1.2")
				c.send(frame("SUBSCRIBE", "id:e", errorsTo))
				c.send(frameWith(body, "SEND", "destination:/app/user/status", "receipt:r"))
				c.expect("MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR" +
					" | INVALID,/app/user/status,r,")
				if got := len(c.presence.Calls()); got != 1 {
					t.Errorf("presence was told %q", c.presence.Calls())
				}
			})
		})
	}
}

func renewal(token string) string {
	return frameWith(`{"token":"`+token+`"}`, "SEND", "destination:/app/user/token", "receipt:r")
}

func TestTokenExpiry(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.expires = time.Now().Add(time.Minute)
		c.auth["longer"] = fake.Identity{User: "alice", Expires: time.Now().Add(time.Hour)}
		c.auth["for ever"] = fake.Identity{User: "alice"}
		c.auth["late"] = fake.Identity{User: "alice", Expires: time.Now()}
		c.cfg.HeartBeat = session.HeartBeat{}
	}
	expired := "ERROR message:TOKEN_EXPIRED code:TOKEN_EXPIRED"
	t.Run("ends a silent subscriber", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1) + frame("SUBSCRIBE", "id:e", errorsTo))
			c.pass(time.Minute - 1)
			c.expectClose(0)
			c.pass(1)
			c.expect(expired)
			c.expectClose(transport.ClosePolicy)
			if n := c.hub.Subscriptions(); n != 0 {
				t.Errorf("%d subscriptions are left", n)
			}
		})
	})
	t.Run("is moved by a new token", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			c.connect("1.2")
			c.send(renewal("longer"))
			c.expect("RECEIPT receipt-id:r")
			c.pass(time.Hour - 1)
			c.expectClose(0)
			c.pass(1)
			c.expect(expired)
		})
	})
	t.Run("is lifted by a token without end", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			c.connect("1.2")
			c.send(renewal("for ever"))
			c.pass(1000 * time.Hour)
			c.expect("RECEIPT receipt-id:r")
			c.expectClose(0)
		})
	})
	for token, message := range map[string]string{
		"token-bob": "UNAUTHENTICATED", "nonsense": "UNAUTHENTICATED", "late": "TOKEN_EXPIRED",
	} {
		t.Run("a new token that is no good: "+token, func(t *testing.T) {
			t.Parallel()
			run(t, setup, func(c *client) {
				c.connect("1.2")
				c.send(frame("SUBSCRIBE", "id:e", errorsTo))
				c.send(renewal(token))
				c.expect("ERROR message:" + message + " code:" + message + " receipt-id:r")
				c.expectClose(transport.ClosePolicy)
			})
		})
	}
	t.Run("a body without token is the error of one message", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:e", errorsTo))
			c.send(frameWith("{}", "SEND", "destination:/app/user/token", "receipt:r"))
			c.expect("MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR" +
				" | INVALID,/app/user/token,r,")
		})
	})
}

func TestAServiceThatNeverAnswersEndsTheWait(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(sendTo1("r1") + frame("SUBSCRIBE", "id:1", topic1))
		c.pass(c.cfg.AnswerTimeout - 1)
		c.expectClose(0)
		c.pass(1)
		c.expect("ERROR message:UNAVAILABLE code:UNAVAILABLE")
		c.expectClose(transport.CloseTryLater)
	})
}
