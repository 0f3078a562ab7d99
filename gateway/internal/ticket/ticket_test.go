package ticket_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/ticket"
	"github.com/fliliy/chat/gateway/redistest"
)

const token = "header.alice-s-claims.signature"

var end = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// verifier takes the one token, unless it says otherwise.
type verifier struct{ err error }

func (v verifier) Verify(_ context.Context, shown string) (principal.Principal, error) {
	if shown != token {
		return principal.Principal{}, &event.Error{Code: event.Internal, Message: "another token: " + shown}
	}
	return principal.Principal{User: "alice", Expires: end}, v.err
}

func dial(t *testing.T, addr string) *redis.Client {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func issue(t *testing.T, office *ticket.Office) string {
	t.Helper()
	issued, err := office.Issue(t.Context(), token)
	if err != nil {
		t.Fatalf("Issue = %v", err)
	}
	return issued
}

// wantCode checks an error, and that it tells nothing of the token or the ticket.
func wantCode(t *testing.T, err error, code event.Code, issued string) {
	t.Helper()
	var refused *event.Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("error %v, want %s", err, code)
		return
	}
	if strings.Contains(refused.Message, issued) || strings.Contains(refused.Message, "alice") {
		t.Errorf("the refusal shows too much: %s", refused.Message)
	}
}

// wantCounts checks how many tickets were counted by outcome.
func wantCounts(t *testing.T, registry prometheus.Gatherer, away, issued, refused, used int) {
	t.Helper()
	want := "# HELP fliliy_gateway_tickets_total One-time tickets, by outcome.\n# TYPE fliliy_gateway_tickets_total counter\n" +
		fmt.Sprintf("fliliy_gateway_tickets_total{outcome=\"away\"} %d\nfliliy_gateway_tickets_total{outcome=\"issued\"} %d\n"+
			"fliliy_gateway_tickets_total{outcome=\"other\"} 0\n"+
			"fliliy_gateway_tickets_total{outcome=\"refused\"} %d\nfliliy_gateway_tickets_total{outcome=\"used\"} %d\n",
			away, issued, refused, used)
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "fliliy_gateway_tickets_total"); err != nil {
		t.Error(err)
	}
}

func TestATicketStandsForItsToken(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	registry := prometheus.NewRegistry()
	counts := metrics.New(registry)
	here := ticket.New(dial(t, server.Addr()), verifier{}, counts)
	there := ticket.New(dial(t, server.Addr()), verifier{}, counts)
	issued := issue(t, here)
	if raw, err := base64.RawURLEncoding.DecodeString(issued); err != nil || len(raw)*8 < 128 {
		t.Errorf("the ticket %q has fewer than 128 bits, or is not fit for a URL", issued)
	}
	if other := issue(t, here); other == issued {
		t.Error("two tickets are the same")
	}
	who, err := there.Redeem(t.Context(), issued)
	if want := (principal.Principal{User: "alice", Expires: end}); err != nil || who != want {
		t.Errorf("Redeem on another gateway = %+v, %v, want %+v", who, err, want)
	}
	_, err = here.Redeem(t.Context(), issued)
	wantCode(t, err, event.Unauthenticated, issued)
	wantCounts(t, registry, 0, 2, 1, 1)
}

// RELIABILITY row 45: of 100 uses at once on two gateways exactly one wins, on a real Redis.
func TestThreat45OneUseWins(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	var offices [2]*ticket.Office
	for i := range offices {
		offices[i] = ticket.New(dial(t, strings.TrimPrefix(server.URL(), "redis://")), verifier{}, nil)
	}
	issued := issue(t, offices[0])
	var won, refused atomic.Int64
	var using sync.WaitGroup
	begin := make(chan struct{})
	for n := range 100 {
		using.Go(func() {
			<-begin
			_, err := offices[n%2].Redeem(t.Context(), issued)
			var told *event.Error
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &told) && told.Code == event.Unauthenticated:
				refused.Add(1)
			}
		})
	}
	close(begin)
	using.Wait()
	if won.Load() != 1 || refused.Load() != 99 {
		t.Errorf("%d won and %d were refused, want 1 and 99", won.Load(), refused.Load())
	}
}

func TestThreat45ATicketGrowsOld(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	office := ticket.New(dial(t, server.Addr()), verifier{}, nil)
	young, old := issue(t, office), issue(t, office)
	server.FastForward(ticket.Life - time.Millisecond)
	if _, err := office.Redeem(t.Context(), young); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	server.FastForward(time.Millisecond)
	_, err := office.Redeem(t.Context(), old)
	wantCode(t, err, event.Unauthenticated, old)
}

// Who reads Redis has neither the ticket nor the token, and cannot use what is there.
func TestThreat45RedisHoldsNothingOfUse(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	office := ticket.New(dial(t, server.Addr()), verifier{}, nil)
	issued := issue(t, office)
	keys := server.Keys()
	if len(keys) != 1 {
		t.Fatalf("Redis holds %q, want one key", keys)
	}
	value, err := server.Get(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range append(strings.Split(token, "."), issued) {
		if strings.Contains(keys[0]+value, part) {
			t.Errorf("Redis shows %q: %q = %q", part, keys[0], value)
		}
	}
	name := strings.TrimPrefix(keys[0], "fliliy:ticket:")
	for _, guess := range []string{name, name[:len(issued)], value, keys[0]} {
		_, err := office.Redeem(t.Context(), guess)
		wantCode(t, err, event.Unauthenticated, issued)
	}
	if !server.Exists(keys[0]) {
		t.Error("a wrong ticket has used up the right one")
	}
}

func TestThreat45WhatIsInRedisIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(value, other string) string{
		"a token in the clear": func(string, string) string { return token },
		"another ticket's":     func(_, other string) string { return other },
		"one bit changed":      func(value, _ string) string { return value[:len(value)-1] + string(value[len(value)-1]^1) },
		"cut short":            func(value, _ string) string { return value[:10] },
		"empty":                func(string, string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			office := ticket.New(dial(t, server.Addr()), verifier{}, nil)
			issue(t, office)
			key := server.Keys()[0]
			other, _ := server.Get(key)
			server.FlushAll()
			issued := issue(t, office)
			key = server.Keys()[0]
			value, _ := server.Get(key)
			if err := server.Set(key, change(value, other)); err != nil {
				t.Fatal(err)
			}
			_, err := office.Redeem(t.Context(), issued)
			wantCode(t, err, event.Unauthenticated, issued)
		})
	}
}

// A ticket grants no more than its token: one that has expired or was revoked in between is refused as such.
func TestTheTokenIsVerifiedAgain(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	late := &event.Error{Code: event.TokenExpired, Message: "late"}
	issued := issue(t, ticket.New(dial(t, server.Addr()), verifier{}, nil))
	_, err := ticket.New(dial(t, server.Addr()), verifier{late}, nil).Redeem(t.Context(), issued)
	wantCode(t, err, event.TokenExpired, issued)
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("the ticket is still there: %q", keys)
	}
}

func TestNoTickets(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	registry := prometheus.NewRegistry()
	counts := metrics.New(registry)
	office := ticket.New(dial(t, server.Addr()), verifier{}, counts)
	issued := issue(t, office)
	server.SetError("LOADING")
	_, err := office.Issue(t.Context(), token)
	wantCode(t, err, event.Unavailable, issued)
	_, err = office.Redeem(t.Context(), issued)
	wantCode(t, err, event.Unavailable, issued)
	wantCounts(t, registry, 2, 1, 0, 0)
	// What is no ticket is refused without asking.
	for _, bad := range []string{"", "x", strings.Repeat("A", 21), strings.Repeat("A", 1<<20), token, issued + "=", "*\r\n" + issued[3:]} {
		_, err := office.Redeem(t.Context(), bad)
		wantCode(t, err, event.Unauthenticated, issued)
	}
}
