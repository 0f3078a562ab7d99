package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fliliy/chat/deploy/stompwire"
	"github.com/fliliy/chat/gateway"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// devices opens sessions of one token on both gateways, half of them silent subscribers, half of them idle.
func (s *stage) devices(t *testing.T, who person) []*wire {
	t.Helper()
	var all []*wire
	for n := range 6 {
		w := login(t, s.wsURL(n%2), who)
		if n < 4 {
			w.subscribe("e", "/user/queue/errors")
		}
		all = append(all, w)
	}
	return all
}

// wantEnded waits for the end of a session, which has to say why.
func wantEnded(t *testing.T, w *wire, code, reason string) {
	t.Helper()
	var told string
	for {
		got, closed, err := stompwire.Next(w.ctx, w.socket)
		if err != nil {
			t.Fatal(err)
		}
		if got == nil {
			if closed != 1008 || told == "" {
				t.Errorf("closed with %d after ERROR %q, want 1008 after %s", closed, told, code)
			}
			return
		}
		if got.Command != "ERROR" {
			continue // what was on its way
		}
		if told = got.Header.Get("message"); told != code || !strings.Contains(string(got.Body), reason) {
			t.Errorf("ERROR %q %s, want %s with %q", told, got.Body, code, reason)
		}
	}
}

// RELIABILITY fault 20: a revocation ends all sessions of a user on all gateways, whatever they do, and her old token
// opens nothing any more: no socket, no CONNECT, no ticket, no request. Others stay, and a new token is good.
func TestFault20RevokedEverywhere(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "mallory", "alice")
		mallory, alice := p[0], p[1]
		room := s.room(t, alice, mallory)
		ticket := s.ticket(t, mallory)
		devices := s.devices(t, mallory)
		neighbour := login(t, s.wsURL(0), alice)
		conn, err := grpc.NewClient(s.stack.Chatsvc.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, err = chatv1.NewChatServiceClient(conn).DisconnectUser(t.Context(), &chatv1.DisconnectUserRequest{
			UserId: mallory.id, Reason: "you are banned",
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, device := range devices {
			wantEnded(t, device, "UNAUTHENTICATED", "you are banned")
		}
		for n := range 2 {
			for _, way := range [][2]string{
				{"?token=" + mallory.token, ""},
				{"", "token:" + mallory.token + "\n"},
				{"?ticket=" + ticket, ""},
				{"", "ticket:" + ticket + "\n"},
			} {
				if got := open(t.Context(), s.wsURL(n)+way[0], way[1]); got != "UNAUTHENTICATED" {
					t.Errorf("gateway %d, %s: %s, want UNAUTHENTICATED", n, strings.SplitN(way[0]+way[1], "=", 2)[0], got)
				}
			}
		}
		if status, answer := s.rest(t, mallory, http.MethodPost, "/api/v1/ws-ticket", nil); status != http.StatusUnauthorized {
			t.Errorf("a ticket for a revoked token: %d %v, want 401", status, answer)
		}
		neighbour.say(room, "still here", "1")
	})
}

// RELIABILITY fault 19: sessions end with their token, silent subscribers too, and one that came by a ticket as well; one
// that has shown a new token in time stays.
func TestFault19ExpiredEverywhere(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		who := s.people(t, "alice")[0]
		long := who.token
		short, err := gateway.SignToken(previousSecret, who.id, 2*time.Second) // and 5 s of leeway
		if err != nil {
			t.Fatal(err)
		}
		who.token = short
		devices := s.devices(t, who)
		byTicket := dialWire(t, s.wsURL(1)+"?ticket="+s.ticket(t, who))
		byTicket.send("CONNECT\naccept-version:1.2\nhost:chat\n\n\x00")
		byTicket.expect("CONNECTED")
		renewed := login(t, s.wsURL(0), who)
		renewed.send("SEND\ndestination:/app/user/token\nreceipt:n\n\n{\"token\":\"" + long + "\"}\x00")
		renewed.receipt("n")
		for _, device := range append(devices, byTicket) {
			wantEnded(t, device, "TOKEN_EXPIRED", "")
		}
		if got := open(t.Context(), s.wsURL(0), "token:"+short+"\n"); got != "TOKEN_EXPIRED" {
			t.Errorf("the old token: %s, want TOKEN_EXPIRED", got)
		}
		renewed.subscribe("e", "/user/queue/errors") // it is there
	})
}
