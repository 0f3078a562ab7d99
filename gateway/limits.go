package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/limit"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/rest"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// limitConfig says in the words of package limit what the configuration allows.
func limitConfig(counts config.Limits, rates config.Rates) limit.Config {
	cfg := limit.Config{
		Connections:           counts.Connections,
		ConnectionsPerUser:    counts.ConnectionsPerUser,
		ConnectionsPerAddress: counts.ConnectionsPerAddress,
	}
	if rates.Off {
		return cfg
	}
	cfg.Strikes, cfg.Room = limit.Rate(rates.Strikes), limit.Rate(rates.RoomSend)
	cfg.Session = limit.Rates{limit.Send: limit.Rate(rates.SessionSend), limit.Subscribe: limit.Rate(rates.SessionSubscribe)}
	cfg.User = limit.Rates{
		limit.Connect: limit.Rate(rates.UserConnect), limit.Send: limit.Rate(rates.UserSend),
		limit.Subscribe: limit.Rate(rates.UserSubscribe), limit.Request: limit.Rate(rates.UserRequest),
	}
	cfg.Address = limit.Rates{
		limit.Connect: limit.Rate(rates.AddressConnect), limit.Send: limit.Rate(rates.AddressSend),
		limit.Subscribe: limit.Rate(rates.AddressSubscribe), limit.Request: limit.Rate(rates.AddressRequest),
		limit.BadToken: limit.Rate(rates.BadTokens),
	}
	return cfg
}

// sessionConfig says in the words of package session what the configuration allows.
func sessionConfig(limits config.Limits) session.Config {
	cfg := session.DefaultConfig()
	cfg.Server = "fliliy-chat/" + strings.TrimPrefix(Version(), "v")
	cfg.HeartBeat = session.HeartBeat{Send: limits.HeartBeat, Receive: limits.HeartBeat}
	cfg.ConnectTimeout, cfg.PreAuthBytes = limits.PreAuth.StrangerTime, limits.PreAuth.StrangerBytes
	cfg.Limits = stomp.Limits{
		MaxBody: limits.BodyBytes, MaxHeaders: limits.Headers, MaxHeaderLine: limits.HeaderLineBytes,
	}
	cfg.Subscriptions, cfg.SendQueue = limits.Subscriptions, limits.SendQueueBytes
	cfg.Transactions = session.TransactionLimits{
		Open: limits.Transactions.Open, Frames: limits.Transactions.TransactionFrames,
		Bytes: limits.Transactions.TransactionBytes,
	}
	cfg.DrainSpread = drainSpread(limits.DrainTime)
	return cfg
}

// handshakeTime is for the header of a request: a little less than a stranger has, so that who is slow is gone within it.
func handshakeTime(limits config.Limits) time.Duration { return limits.PreAuth.StrangerTime * 9 / 10 }

// door lets sessions of one address in.
type door struct {
	limits *limit.Limits
	remote string
}

// Guesses implements session.Door.
func (d *door) Guesses() *event.Error { return d.limits.Guesses(d.remote) }

// Guessed implements session.Door.
func (d *door) Guessed() { d.limits.Guessed(d.remote) }

// Enter implements session.Door.
func (d *door) Enter(user string) (session.Allowance, *event.Error) {
	allowance, refused := d.limits.Enter(user, d.remote)
	if refused != nil {
		return nil, refused
	}
	return allowance, nil
}

// limitOpening limits requests that open a connection, before they do.
func (g *Gateway) limitOpening(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := g.limits.Admit(r.RemoteAddr); refused != nil {
			refuseRequest(w, refused)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limitRequests limits REST requests by address; limitedUsers does so by user.
func (g *Gateway) limitRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := g.limits.Request("", r.RemoteAddr); refused != nil {
			refuseRequest(w, refused)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limitGuesses refuses an address that has shown too many bad tokens, before it can show another. A request that shows
// none is no guess: any page in the web can make a visitor's browser send such ones, and would lock her out.
func (g *Gateway) limitGuesses(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); r.Header.Get("Authorization") == "" && !query.Has("token") && !query.Has("ticket") {
			next.ServeHTTP(w, r)
			return
		}
		if refused := g.limits.Guesses(r.RemoteAddr); refused != nil {
			refuseRequest(w, refused)
			return
		}
		next.ServeHTTP(&guessWatch{ResponseWriter: w, remote: r.RemoteAddr, guessed: g.limits.Guessed}, r)
	})
}

// guessWatch notes answers that refuse a token.
type guessWatch struct {
	http.ResponseWriter
	remote  string
	guessed func(remote string)
}

func (w *guessWatch) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		w.guessed(w.remote)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find what the writer can do besides, such as to hand the connection over.
func (w *guessWatch) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// limitedUsers verifies tokens of REST requests, within the rate of their users.
type limitedUsers struct {
	rest.Authenticator
	limits *limit.Limits
}

// Verify implements rest.Authenticator.
func (a limitedUsers) Verify(ctx context.Context, token string) (principal.Principal, error) {
	who, err := a.Authenticator.Verify(ctx, token)
	if err != nil {
		return who, err
	}
	if refused := a.limits.Request(who.User, ""); refused != nil {
		return principal.Principal{}, refused
	}
	return who, nil
}

// refuseRequest answers 429, or 503 where the node is full, with the time after which it is worth another try.
func refuseRequest(w http.ResponseWriter, refused *event.Error) {
	status := http.StatusTooManyRequests
	if refused.Code == event.Unavailable {
		status = http.StatusServiceUnavailable
	}
	seconds := (refused.RetryAfter + time.Second - 1) / time.Second
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer") // the URL may carry a token
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Retry-After", strconv.FormatInt(int64(max(seconds, 1)), 10))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{ // the client is gone: nobody to tell
		"code": string(refused.Code), "message": refused.Message,
	})
}
