package edge_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/edge"
)

const patience = 20 * time.Second

// name answers with its name, so that a test sees which handler a path reaches.
func name(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
}

// running is a server under way.
type running struct {
	*edge.Server
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, opts edge.Options) *running {
	t.Helper()
	if opts.Addr == "" {
		opts.Addr, opts.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Server: edge.New(opts), stop: cancel, ended: make(chan error, 1)}
	if err := r.Listen(ctx); err != nil {
		t.Fatalf("listen: %v", err)
	}
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(cancel)
	return r
}

func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		t.Fatal("Run has not returned")
		return nil
	}
}

func get(t *testing.T, addr, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, req)
}

func answer(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(p)
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	r := start(t, edge.Options{WS: name("ws"), REST: name("rest"), Web: name("web"), Metrics: name("metrics")})
	for _, tc := range []struct {
		addr, path string
		status     int
		body       string // "" is not looked at
	}{
		{r.Addr(), "/ws", 200, "ws"},
		{r.Addr(), "/ws?token=x", 200, "ws"},
		{r.Addr(), "/ws/websocket", 200, "ws"},
		{r.Addr(), "/ws/000/abc/xhr", 200, "ws"},
		{r.Addr(), "/ws//xhr", 200, "ws"}, // not redirected to another path
		{r.Addr(), "/wsx", 200, "web"},
		{r.Addr(), "/api/v1/chat-rooms", 200, "rest"},
		{r.Addr(), "/api/v2/chat-rooms", 404, ""},
		{r.Addr(), "/", 200, "web"},
		{r.Addr(), "/websocket-chat-client.html", 200, "web"},
		{r.Addr(), "/sdk/fliliy-websocket-client.js", 200, "web"},
		{r.Addr(), "/healthz", 200, ""},
		{r.Addr(), "/readyz", 200, ""},
		// RELIABILITY row 35: never on the public port, even though Web answers to everything else.
		{r.Addr(), "/metrics", 404, ""},
		{r.Addr(), "/metrics/", 404, ""},
		{r.Addr(), "/debug", 404, ""},
		{r.Addr(), "/debug/pprof/", 404, ""},
		{r.Addr(), "/debug/pprof/heap", 404, ""},
		{r.Addr(), "/debug/vars", 404, ""},

		{r.AdminAddr(), "/metrics", 200, "metrics"},
		{r.AdminAddr(), "/debug/pprof/", 200, ""},
		{r.AdminAddr(), "/debug/pprof/cmdline", 200, ""},
		{r.AdminAddr(), "/debug/pprof/goroutine", 200, ""},
		{r.AdminAddr(), "/healthz", 200, ""},
		{r.AdminAddr(), "/readyz", 200, ""},
		{r.AdminAddr(), "/drain", 405, ""},
		{r.AdminAddr(), "/ws", 404, ""},
		{r.AdminAddr(), "/api/v1/chat-rooms", 404, ""},
		{r.AdminAddr(), "/", 404, ""},
	} {
		status, body := get(t, tc.addr, tc.path)
		if status != tc.status || tc.body != "" && body != tc.body {
			t.Errorf("GET %s: %d %.40q, want %d %q", tc.path, status, body, tc.status, tc.body)
		}
	}
}

func TestMissingHandlersAnswer404(t *testing.T) {
	t.Parallel()
	r := start(t, edge.Options{})
	for _, path := range []string{"/", "/ws", "/api/v1/x"} {
		if status, _ := get(t, r.Addr(), path); status != 404 {
			t.Errorf("GET %s: %d, want 404", path, status)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	var natsDown, chatsvcDown atomic.Bool
	check := func(down *atomic.Bool, reason string) func(context.Context) error {
		return func(context.Context) error {
			if down.Load() {
				return errors.New(reason)
			}
			return nil
		}
	}
	r := start(t, edge.Options{Addr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", Checks: []edge.Check{
		{Name: "nats", Ready: check(&natsDown, "no route to 10.0.0.7")},
		{Name: "chatsvc", Ready: check(&chatsvcDown, "no replica answers")},
	}})
	expect := func(addr string, status int, body string) {
		t.Helper()
		if gotStatus, got := get(t, addr, "/readyz"); gotStatus != status || strings.TrimSpace(got) != body {
			t.Errorf("readyz = %d %s, want %d %s", gotStatus, got, status, body)
		}
		if status, _ := get(t, addr, "/healthz"); status != 200 {
			t.Errorf("healthz = %d, want 200 while the process lives", status)
		}
	}
	expect(r.Addr(), 200, `{"ready":true}`)
	natsDown.Store(true)
	expect(r.Addr(), 503, `{"ready":false,"failing":[{"name":"nats"}]}`)
	expect(r.AdminAddr(), 503, `{"ready":false,"failing":[{"name":"nats","reason":"no route to 10.0.0.7"}]}`)
	chatsvcDown.Store(true)
	expect(r.Addr(), 503, `{"ready":false,"failing":[{"name":"chatsvc"},{"name":"nats"}]}`)
	natsDown.Store(false)
	chatsvcDown.Store(false)
	expect(r.Addr(), 200, `{"ready":true}`)
	r.Drain()
	expect(r.Addr(), 503, `{"ready":false,"failing":[{"name":"draining"}]}`)
}

// A check that waits is ended by its context.
// What can be done without is shown to operators, and does not make the gateway unready.
func TestDegraded(t *testing.T) {
	t.Parallel()
	r := start(t, edge.Options{SoftChecks: []edge.Check{
		{Name: "redis", Ready: func(context.Context) error { return errors.New("connection refused") }},
		{Name: "other", Ready: func(context.Context) error { return nil }},
	}})
	for _, c := range []struct{ addr, want string }{
		{r.AdminAddr(), `{"ready":true,"degraded":[{"name":"redis","reason":"connection refused"}]}`},
		{r.Addr(), `{"ready":true}`},
	} {
		if status, body := get(t, c.addr, "/readyz"); status != 200 || strings.TrimSpace(body) != c.want {
			t.Errorf("readyz = %d %s, want 200 %s", status, body, c.want)
		}
	}
}

func TestDrainOnRequest(t *testing.T) {
	t.Parallel()
	var r *running
	began := 0
	r = start(t, edge.Options{
		Drain:    func() { began++; r.Drain() },
		Sessions: func() int { return 12 },
		Web:      name("web"),
	})
	post := func(addr, origin string) (status int, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/drain", nil)
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		return answer(t, req)
	}
	if status, _ := post(r.Addr(), ""); status == 202 || began != 0 {
		t.Errorf("the public can drain: %d", status)
	}
	if status, _ := post(r.AdminAddr(), "https://evil.example"); status != 403 || began != 0 {
		t.Errorf("a page in an operator's browser can drain: %d", status)
	}
	if status, _ := get(t, r.AdminAddr(), "/drain"); status != 405 || began != 0 {
		t.Errorf("GET /drain = %d, want 405", status)
	}
	const draining = `"failing":[{"name":"draining","reason":"this gateway takes no new clients and asks its own to go"}]`
	for n := range 2 {
		want := `{"ready":false,` + draining + `,"sessions":12}`
		if status, body := post(r.AdminAddr(), ""); status != 202 || strings.TrimSpace(body) != want || began != n+1 {
			t.Errorf("POST /drain = %d %s, want 202 %s", status, body, want)
		}
	}
	if status, body := get(t, r.AdminAddr(), "/readyz"); status != 503 || !strings.Contains(body, `"sessions":12`) {
		t.Errorf("readyz of the admin server = %d %s, want 503 and the sessions left", status, body)
	}
	want := `{"ready":false,"failing":[{"name":"draining"}]}`
	if status, body := get(t, r.Addr(), "/readyz"); status != 503 || strings.TrimSpace(body) != want {
		t.Errorf("public readyz = %d %s, want 503 %s", status, body, want)
	}
	if status, _ := get(t, r.Addr(), "/"); status != 200 {
		t.Errorf("a draining server answers %d to other requests", status)
	}
}

func TestReadinessOfAHangingCheck(t *testing.T) {
	t.Parallel()
	r := start(t, edge.Options{Checks: []edge.Check{{Name: "slow", Ready: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}}}})
	status, body := get(t, r.AdminAddr(), "/readyz")
	var answer struct {
		Failing []struct{ Name, Reason string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	if status != 503 || len(answer.Failing) != 1 || answer.Failing[0].Name != "slow" {
		t.Errorf("readyz = %d %s", status, body)
	}
}

func TestTakenPortIsAClearError(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	addr := taken.Addr().String()
	for _, tc := range []struct {
		name string
		opts edge.Options
		want string
	}{
		{"public", edge.Options{Addr: addr, AddrSetting: "-addr"}, "-addr"},
		{"public, by default", edge.Options{Addr: addr}, "FLILIY_GATEWAY_ADDR"},
		{"admin", edge.Options{Addr: "127.0.0.1:0", AdminAddr: addr, AdminAddrSetting: "-admin"}, "-admin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := edge.New(tc.opts)
			err := s.Listen(t.Context())
			want := fmt.Sprintf("listen on %s: address already in use: stop the other program or choose another address with %s",
				addr, tc.want)
			if err == nil || err.Error() != want {
				t.Errorf("Listen = %v\nwant %s", err, want)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestBadAddressIsAnError(t *testing.T) {
	t.Parallel()
	err := edge.New(edge.Options{Addr: "127.0.0.1:notaport"}).Listen(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "listen on 127.0.0.1:notaport: ") {
		t.Errorf("Listen = %v", err)
	}
}

func TestCloseFreesThePorts(t *testing.T) {
	t.Parallel()
	s := edge.New(edge.Options{Addr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0"})
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{s.Addr(), s.AdminAddr()} {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Errorf("the port is still taken: %v", err)
			continue
		}
		_ = listener.Close()
	}
}

func TestNoAdminServer(t *testing.T) {
	t.Parallel()
	r := start(t, edge.Options{Addr: "127.0.0.1:0"})
	if got := r.AdminAddr(); got != "" {
		t.Errorf("admin address %q, want none", got)
	}
	if status, _ := get(t, r.Addr(), "/healthz"); status != 200 {
		t.Errorf("healthz = %d", status)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("Run = %v after a stop, want nil", err)
	}
}

// A request under way is finished, new connections are refused, an upgraded connection is left alone.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	hijacked := make(chan net.Conn, 1)
	r := start(t, edge.Options{
		REST: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			_, _ = io.WriteString(w, "finished")
		}),
		WS: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			hijacked <- conn
		}),
	})
	socket, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if _, err := io.WriteString(socket, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	ours := <-hijacked
	defer ours.Close()

	answered := make(chan string, 1)
	go func() {
		_, body := get(t, r.Addr(), "/api/v1/slow")
		answered <- body
	}()
	<-entered
	r.stop()
	refused := func() bool {
		conn, err := net.Dial("tcp", r.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}
	deadline := time.Now().Add(patience)
	for !refused() {
		if time.Now().After(deadline) {
			t.Fatal("connections are still accepted")
		}
	}
	if status, body := get(t, r.AdminAddr(), "/readyz"); status != 503 || !strings.Contains(body, "draining") {
		t.Errorf("readyz while stopping = %d %s", status, body)
	}
	close(release)
	if got := <-answered; got != "finished" {
		t.Errorf("the request under way got %q", got)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("Run = %v after a stop, want nil", err)
	}
	if _, err := io.WriteString(ours, "alive\n"); err != nil {
		t.Fatalf("write to the upgraded connection after the stop: %v", err)
	}
	if line, err := bufio.NewReader(socket).ReadString('\n'); err != nil || line != "alive\n" {
		t.Errorf("the upgraded connection got %q, %v", line, err)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, edge.Options{Web: name("web")})
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 32<<10)+"\r\n\r\n")
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", resp.StatusCode)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, edge.Options{REST: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})})
	for size, want := range map[int]int{1 << 20: 200, 1<<20 + 1: 413} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.Addr()+"/api/v1/x",
			strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("a body of %d bytes: status %d, want %d", size, resp.StatusCode, want)
		}
	}
}

// A handler that panics answers nothing and takes nobody down.
func TestPanicIsIsolated(t *testing.T) {
	t.Parallel()
	r := start(t, edge.Options{Web: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Addr()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Errorf("status %d of a handler that panicked", resp.StatusCode)
	}
	if status, _ := get(t, r.Addr(), "/healthz"); status != 200 {
		t.Errorf("healthz = %d after a panic", status)
	}
}
