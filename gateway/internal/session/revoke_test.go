package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/transport"
)

const errUnauthenticated = "ERROR message:UNAUTHENTICATED code:UNAUTHENTICATED"

// A revocation ends the sessions of its user whose tokens it covers, silent subscribers too, and no others.
func TestRevoke(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		user   string
		issued time.Duration // of the session's token, from the moment of the revocation on
		ends   bool
	}{
		"issued before":         {"alice", -time.Second, true},
		"issued at that moment": {"alice", 0, false},
		"issued after":          {"alice", time.Second, false},
		"of another user":       {"bob", -time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var moment time.Time
			setup := func(c *client) {
				moment = time.Now()
				c.issued = moment.Add(tc.issued)
			}
			run(t, setup, func(c *client) {
				c.connect("1.2")
				c.send(frame("SUBSCRIBE", "id:1", topic1) + frame("SUBSCRIBE", "id:e", errorsTo))
				c.factory.Revoke(&principal.Revocation{User: tc.user, IssuedBefore: moment, Reason: "password changed"})
				if tc.ends {
					c.expect(errUnauthenticated)
					c.expectClose(transport.ClosePolicy)
					return
				}
				c.expect()
				c.expectClose(0)
			})
		})
	}
}

// A token that does not say when it was issued is covered by every revocation.
func TestRevokeWithoutIssued(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.factory.Revoke(&principal.Revocation{User: "alice", IssuedBefore: time.Now().Add(-time.Hour)})
		c.expect(errUnauthenticated)
		c.expectClose(transport.ClosePolicy)
	})
}

// Between the handshake and CONNECT nobody finds the session: CONNECT itself looks.
func TestRevokedBeforeConnect(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.auth["revoked:alice"] = fake.Identity{Err: &event.Error{Code: event.Unauthenticated, Message: "revoked"}}
	}
	run(t, setup, func(c *client) {
		c.send(frame("CONNECT", "accept-version:1.2"))
		c.expect(errUnauthenticated)
		c.expectClose(transport.ClosePolicy)
	})
}

// A session that has a newer token since is judged by that one.
func TestRevokeAfterRenewal(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.issued, c.expires = time.Now(), time.Now().Add(time.Hour)
		c.auth["newer"] = fake.Identity{User: "alice", Issued: time.Now().Add(time.Minute), Expires: time.Now().Add(2 * time.Hour)}
	}
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.send(renewal("newer"))
		c.expect("RECEIPT receipt-id:r")
		c.factory.Revoke(&principal.Revocation{User: "alice", IssuedBefore: c.issued.Add(time.Minute)})
		c.expect()
		c.factory.Revoke(&principal.Revocation{User: "alice", IssuedBefore: c.issued.Add(time.Minute + 1)})
		c.expect(errUnauthenticated)
		c.expectClose(transport.ClosePolicy)
	})
}

// A token that ends earlier than the session's changes nothing, and says so.
func TestRenewalNeverShortens(t *testing.T) {
	t.Parallel()
	for name, expires := range map[string]time.Duration{"until later": time.Hour, "for ever": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup := func(c *client) {
				c.cfg.HeartBeat = session.HeartBeat{}
				if expires > 0 {
					c.expires = time.Now().Add(expires)
				}
				c.auth["short"] = fake.Identity{User: "alice", Expires: time.Now().Add(time.Minute)}
			}
			run(t, setup, func(c *client) {
				c.connect("1.2")
				c.send(frame("SUBSCRIBE", "id:e", errorsTo))
				c.send(renewal("short"))
				c.expect("MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR" +
					" | INVALID,/app/user/token,r,")
				c.pass(time.Hour - 1)
				c.expectClose(0)
			})
		})
	}
}

// Fault 19: from the end of the token on, no frame is taken and no event delivered.
func TestFault19NothingAfterTheToken(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.cfg.HeartBeat = session.HeartBeat{}
		c.expires = time.Now().Add(time.Minute)
	}
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1))
		c.pass(time.Minute - 1)
		c.hub.Publish(room(1), message(room(1), 1, "1-1"))
		c.send(frameWith("x", "SEND", "destination:/app/chat/1/send"))
		taken := len(c.relay.Submitted())
		if got := c.out(); len(got) != 1 || taken != 1 {
			t.Fatalf("before the end %q came out and %d were taken, want one of each", got, taken)
		}
		c.pass(1)
		c.expect("ERROR message:TOKEN_EXPIRED code:TOKEN_EXPIRED")
		c.hub.Publish(room(1), message(room(1), 2, "1-2"))
		c.conn.Send([]byte(frameWith("x", "SEND", "destination:/app/chat/1/send")))
		synctest.Wait()
		c.expect()
		if n := len(c.relay.Submitted()); n != taken {
			t.Errorf("%d frames were taken after the end of the token", n-taken)
		}
		c.expectClose(transport.ClosePolicy)
	})
}
