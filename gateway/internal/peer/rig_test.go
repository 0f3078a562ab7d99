package peer_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/peer"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
)

const (
	patience = 20 * time.Second // for what must happen
	secret   = "0123456789abcdef0123456789abcdef"
)

// cluster is some gateways, no more than their SockJS and what carries it, that echo.
type cluster struct {
	t        *testing.T
	redis    *miniredis.Miniredis
	gateways []*gateway
	turn     atomic.Int64
}

type gateway struct {
	*peer.Peers
	server *httptest.Server
	opened atomic.Int64 // sessions
	live   atomic.Int64
	stop   context.CancelFunc
	ended  chan error
}

func newCluster(t *testing.T, n int) *cluster {
	t.Helper()
	c := &cluster{t: t, redis: miniredis.RunT(t)}
	for range n {
		c.gateways = append(c.gateways, c.newGateway())
	}
	return c
}

func (c *cluster) newGateway() *gateway {
	c.t.Helper()
	rdb := redis.NewClient(&redis.Options{
		Addr: c.redis.Addr(), MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
	})
	peers, err := peer.New(c.t.Context(), peer.Options{
		Redis: rdb, Addr: "127.0.0.1:0", Secret: []byte(secret), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	g := &gateway{Peers: peers, ended: make(chan error, 1)}
	handler := sockjs.New(sockjs.Options{
		Prefix: "/ws", Peers: peers, Logger: slog.New(slog.DiscardHandler), Serve: g.echo,
		CheckOrigin: func(http.ResponseWriter, *http.Request) bool { return true },
		Admit: func(_ http.ResponseWriter, r *http.Request) (transport.Handshake, bool) {
			user := r.URL.Query().Get("token")
			return transport.Handshake{Principal: principal.Principal{User: user}, RemoteAddr: r.RemoteAddr}, true
		},
	})
	g.server = httptest.NewServer(handler)
	var ctx context.Context
	ctx, g.stop = context.WithCancel(context.Background())
	go func() { g.ended <- peers.Run(ctx, handler.Carried()) }()
	c.t.Cleanup(func() {
		g.kill()
		_ = rdb.Close()
	})
	return g
}

// kill ends a gateway as far as others can tell.
func (g *gateway) kill() {
	g.server.CloseClientConnections()
	g.server.Close()
	g.stop()
	if g.ended != nil {
		if err := <-g.ended; err != nil {
			panic(err) // its server failed
		}
		g.ended = nil
	}
}

// echo sends back what comes, after a word about the client.
func (g *gateway) echo(ctx context.Context, conn *sockjs.Conn, h transport.Handshake) {
	g.opened.Add(1)
	g.live.Add(1)
	defer g.live.Add(-1)
	for {
		message, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if string(message) == "who" {
			message = fmt.Appendf(nil, "%s@%s", h.User, strings.Split(h.RemoteAddr, ":")[0])
		}
		if conn.Write(ctx, [][]byte{message}) != nil {
			return
		}
	}
}

func (c *cluster) opened() (n int64) {
	for _, g := range c.gateways {
		n += g.opened.Load()
	}
	return n
}

var client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// ask makes a request to a gateway, or to the next one in turn where that is negative.
func (c *cluster) ask(which int, method, path, body string) *http.Response {
	c.t.Helper()
	response, err := c.try(which, method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response
}

func (c *cluster) try(which int, method, path, body string) (*http.Response, error) {
	if which < 0 {
		which = int(c.turn.Add(1)) % len(c.gateways)
	}
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.gateways[which].server.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	return client.Do(request)
}

// want is ask with what has to come back.
func (c *cluster) want(which, status int, answer, path, body string) {
	c.t.Helper()
	response := c.ask(which, http.MethodPost, path, body)
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status || answer != "*" && string(got) != answer {
		c.t.Fatalf("%s: %d %q, %v; want %d %q", path, response.StatusCode, got, err, status, answer)
	}
}

var sessions atomic.Int64

func newSession() string { return fmt.Sprintf("/ws/000/session-%d", sessions.Add(1)) }

// frames reads a streaming answer frame by frame, without its prelude.
type frames struct {
	t *testing.T
	*bufio.Reader
	response *http.Response
}

func (c *cluster) stream(which int, session string) *frames {
	c.t.Helper()
	response := c.ask(which, http.MethodPost, session+"/xhr_streaming", "")
	c.t.Cleanup(func() { _ = response.Body.Close() })
	f := &frames{c.t, bufio.NewReader(response.Body), response}
	if prelude := f.next(); !strings.HasPrefix(prelude, "hhh") {
		c.t.Fatalf("the prelude is %.100q", prelude)
	}
	return f
}

func (f *frames) next() string {
	f.t.Helper()
	line, err := f.ReadString('\n')
	if err != nil {
		f.t.Fatalf("read a frame: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *cluster) eventually(what string, holds func() bool) {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			c.t.Fatalf("not so after %v: %s", patience, what)
		}
	}
}

// claims are what Redis holds.
func (c *cluster) claims() int {
	n := 0
	for _, key := range c.redis.Keys() {
		if strings.HasPrefix(key, peer.KeyPrefix) {
			n++
		}
	}
	return n
}

func hostOf(url string) string {
	host, _, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	return host
}

// hang holds up all calls of Redis until the channel is closed.
func hang(release <-chan struct{}) server.Hook {
	return func(*server.Peer, string, ...string) bool {
		<-release
		return false
	}
}
