package peer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fliliy/chat/gateway/internal/peer"
)

// Every single request goes to the next gateway: nothing is lost, doubled or out of order, and there is one session.
func TestRoundRobin(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	session := newSession()
	c.want(-1, 200, "o\n", session+"/xhr", "")
	for i := range 100 {
		c.want(-1, 204, "", session+"/xhr_send", fmt.Sprintf(`["message %d"]`, i))
		c.want(-1, 200, fmt.Sprintf("a[\"message %d\"]\n", i), session+"/xhr", "")
	}
	if n := c.opened(); n != 1 {
		t.Errorf("%d sessions were opened, want 1", n)
	}
}

// A streaming answer is carried frame by frame, while others are under way.
func TestStreamingIsCarried(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	session := newSession()
	c.want(0, 200, "o\n", session+"/xhr", "")
	stream := c.stream(1, session)
	for i := range 20 {
		c.want(i%2, 204, "", session+"/xhr_send", fmt.Sprintf(`["%d"]`, i))
		if got, want := stream.next(), fmt.Sprintf(`a["%d"]`, i); got != want {
			t.Fatalf("frame %q, want %q", got, want)
		}
	}
	// The client hangs up on the gateway that carries, and the one that holds the session notices.
	_ = stream.response.Body.Close()
	c.eventually("the session has ended", func() bool { return c.gateways[0].live.Load() == 0 })
}

// However the first requests race, the session is opened once.
func TestFirstRequestsRace(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	for range 50 {
		session, before := newSession(), c.opened()
		answers := make(chan string, 2)
		for which := range 2 {
			go func() {
				response, err := c.try(which, http.MethodPost, session+"/xhr", "")
				if err != nil {
					answers <- err.Error()
					return
				}
				defer response.Body.Close()
				body, _ := io.ReadAll(response.Body)
				answers <- string(body)
			}()
		}
		first := <-answers
		c.want(-1, 204, "", session+"/xhr_send", `["x"]`) // for the other one, if it waits
		second := <-answers
		if n := strings.Count(first+second, "o\n"); n != 1 || c.opened()-before != 1 {
			t.Fatalf("answers %q and %q, %d sessions; want one that is opened", first, second, c.opened()-before)
		}
	}
}

// What a client shows, and where it is, are the same to the gateway that holds the session.
func TestTheClientIsCarriedToo(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	session := newSession()
	c.want(0, 200, "o\n", session+"/xhr?token=alice", "")
	c.want(1, 204, "", session+"/xhr_send?token=alice", `["who"]`)
	c.want(1, 200, "a[\"alice@127.0.0.1\"]\n", session+"/xhr?token=alice", "")
	for which := range 2 {
		for _, query := range []string{"", "?token=bob"} {
			c.want(which, 404, "*", session+"/xhr"+query, "")
			c.want(which, 404, "*", session+"/xhr_send"+query, `["x"]`)
		}
	}
}

// When the gateway that holds a session is gone, all requests of the session are answered 404, and others go on.
func TestOwnerGone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	session, other := newSession(), newSession()
	c.want(0, 200, "o\n", session+"/xhr", "")
	c.want(1, 200, "o\n", other+"/xhr", "")
	stream := c.stream(1, session)
	c.gateways[0].kill()
	if line, err := stream.ReadString('\n'); err == nil {
		t.Errorf("the stream goes on with %q", line)
	}
	c.want(1, 404, "*", session+"/xhr_send", `["x"]`)
	c.want(1, 204, "", other+"/xhr_send", `["x"]`)
	c.want(1, 200, "a[\"x\"]\n", other+"/xhr", "")
}

// A gateway that stops gives its leases up; one that was killed leaves them, and they lead nowhere.
func TestALeaseOfADeadGatewayLeadsNowhere(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	session := newSession()
	c.want(0, 200, "o\n", session+"/xhr", "")
	keys := c.redis.Keys()
	value, err := c.redis.Get(keys[0])
	if err != nil || len(keys) != 1 || value != c.gateways[0].URL() || hostOf(value) != "127.0.0.1" {
		t.Fatalf("Redis holds %q = %q, %v", keys, value, err)
	}
	c.gateways[0].kill()
	if n := c.claims(); n != 0 {
		t.Errorf("%d leases are left by a gateway that stopped", n)
	}
	if err := c.redis.Set(keys[0], value); err != nil {
		t.Fatal(err)
	}
	c.want(1, 404, "*", session+"/xhr", "")
	c.want(1, 404, "*", session+"/xhr_send", `["x"]`)
}

func TestLeases(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	session := newSession()
	c.want(0, 200, "o\n", session+"/xhr", "")
	key := c.redis.Keys()[0]
	if strings.Contains(key, "session-") {
		t.Errorf("the key %q shows the id of a session", key)
	}
	if life := c.redis.TTL(key); life <= 0 || life > time.Minute {
		t.Errorf("the lease lasts %v", life)
	}
	c.redis.FlushAll() // and so does an outage
	c.gateways[0].Renew(t.Context())
	if n := c.claims(); n != 1 {
		t.Errorf("%d leases after a renewal, want 1", n)
	}
	if err := c.redis.Set(key, "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	c.gateways[0].Renew(t.Context())
	if owner, _ := c.redis.Get(key); owner != "http://127.0.0.1:1" {
		t.Errorf("a renewal took the session of %s", owner)
	}
	if err := c.redis.Set(key, c.gateways[0].URL()); err != nil {
		t.Fatal(err)
	}
	c.eventually("a session that is over has no lease", func() bool { return c.claims() == 0 })
}

// Without Redis, sessions that are known go on; others cannot be opened, since they might be there already.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	session := newSession()
	c.want(0, 200, "o\n", session+"/xhr", "")
	c.want(1, 204, "", session+"/xhr_send", `["1"]`)
	c.redis.Close()
	for which := range 2 {
		c.want(which, 204, "", session+"/xhr_send", `["2"]`)
	}
	for which := range 2 {
		for _, request := range []string{"/xhr", "/xhr_send"} {
			response := c.ask(which, http.MethodPost, newSession()+request, `["x"]`)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
				t.Errorf("a session nobody knows: %d %v", response.StatusCode, response.Header)
			}
		}
	}
	if err := c.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	c.eventually("sessions are opened again", func() bool {
		response := c.ask(0, http.MethodPost, newSession()+"/xhr", "")
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// A Redis that takes calls and answers none costs a request no more than the time of one call, and only the first.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	release := make(chan struct{})
	c.redis.Server().SetPreHook(hang(release))
	defer close(release)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if response, err := c.try(0, http.MethodPost, newSession()+"/xhr", ""); err != nil {
				t.Error(err)
			} else if _ = response.Body.Close(); response.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("status %d", response.StatusCode)
			}
		})
	}
	all.Wait()
}

// Only gateways are let in at the address for gateways.
func TestPass(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	session := newSession()
	c.want(0, 200, "o\n", session+"/xhr", "")
	url := c.gateways[0].URL()
	pass := func(method jwt.SigningMethod, key any, audience string, life time.Duration) string {
		signed, err := jwt.NewWithClaims(method, jwt.RegisteredClaims{
			Issuer: "fliliy-gateway", Audience: jwt.ClaimStrings{audience}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(life)),
		}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h2 := &http.Client{Timeout: patience, Transport: &http.Transport{Protocols: protocols}}
	for name, tc := range map[string]struct {
		pass   string
		status int
	}{
		"a gateway's":      {pass(jwt.SigningMethodHS256, []byte(secret), url, time.Minute), 204},
		"none":             {"", 403},
		"garbage":          {"x.y.z", 403},
		"another secret":   {pass(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), url, time.Minute), 403},
		"for another one":  {pass(jwt.SigningMethodHS256, []byte(secret), "http://10.0.0.9:8092", time.Minute), 403},
		"long expired":     {pass(jwt.SigningMethodHS256, []byte(secret), url, -time.Hour), 403},
		"another method":   {pass(jwt.SigningMethodHS512, []byte(secret), url, time.Minute), 403},
		"signed by nobody": {pass(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, url, time.Minute), 403},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+session+"/xhr_send", strings.NewReader(`["x"]`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(peer.PassHeader, tc.pass)
		request.Header.Set("Fliliy-Client-Address", "127.0.0.1:1")
		response, err := h2.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = response.Body.Close()
		if response.StatusCode != tc.status {
			t.Errorf("a pass, %s: %d, want %d", name, response.StatusCode, tc.status)
		}
	}
}

// A short secret, an address that is taken: said at the start.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	taken := strings.TrimPrefix(c.gateways[0].URL(), "http://")
	for name, opts := range map[string]peer.Options{
		"short secret":  {Addr: "127.0.0.1:0", Secret: []byte("short")},
		"address taken": {Addr: taken, Secret: []byte(secret)},
	} {
		if p, err := peer.New(t.Context(), opts); err == nil {
			_ = p.Close()
			t.Errorf("%s: New succeeds", name)
		}
	}
}

// A gateway that listens everywhere tells the others an address at which they find it.
func TestOwnURL(t *testing.T) {
	t.Parallel()
	p, err := peer.New(context.Background(), peer.Options{Addr: ":0", Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if host := hostOf(p.URL()); host == "" || host == "::" || host == "0.0.0.0" {
		t.Errorf("others are told to use %s", p.URL())
	}
}
