package sockjs_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs/sockjstest"
)

// fromHeader is the header by which these tests say where a request comes from.
const fromHeader = "Test-From"

// moved serves requests as if they came from where they say.
func moved(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from := r.Header.Get(fromHeader); from != "" {
			r.RemoteAddr = from
		}
		next.ServeHTTP(w, r)
	})
}

// echoes is an echo with every transport on or, as gateways are unless told otherwise, without those for old browsers.
func echoes(t *testing.T, features sockjs.Features) *sockjstest.Site {
	t.Helper()
	serve := func(c conn, _ transport.Handshake) { echo(c) }
	return serveHTTP(t, moved(service(serve, sockjs.Options{Prefix: "/ws", Features: features})))
}

var oldBrowsers = sockjs.Features{JSONP: true, HTMLFile: true, ClientURL: "/sockjs.js"}

// TestThreat01Origins: pages of other sites open nothing and read nothing, at no path, not even a preflight.
func TestThreat01Origins(t *testing.T) {
	t.Parallel()
	s, conns := accepting(t, sockjs.Options{Features: sockjs.Features{ClientURL: "/sockjs.js"}})
	url := sockjstest.Session("/ws")
	upgrade := []string{
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw==",
	}
	for _, origin := range []string{
		"https://evil.example", "null", "http://" + s.Addr + ".evil", "http://" + strings.ToUpper("localhost") + s.Addr, "", "*",
		"file://", "http://" + s.Addr + "/", "http://" + s.Addr + ", https://evil.example",
	} {
		for _, request := range []struct {
			method, path string
			headers      []string
		}{
			{"GET", "/ws/", nil},
			{"GET", "/ws/info", nil},
			{"OPTIONS", "/ws/info", nil},
			{"GET", "/ws/iframe.html", nil},
			{"POST", url + "/xhr", nil},
			{"OPTIONS", url + "/xhr", nil},
			{"POST", url + "/xhr_streaming", nil},
			{"GET", url + "/eventsource", nil},
			{"GET", url + "/htmlfile?c=x", nil},
			{"GET", url + "/jsonp?c=x", nil},
			{"POST", url + "/xhr_send", nil},
			{"POST", url + "/jsonp_send", nil},
			{"GET", url + "/websocket", upgrade},
			{"GET", "/ws/websocket", upgrade},
			{"GET", "/ws", upgrade},
		} {
			r := s.Start(request.method, request.path, `["x"]`, append([]string{"Origin", origin}, request.headers...)...)
			if r.Status != http.StatusForbidden || r.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s for %q: %d %v, want 403", request.method, request.path, origin, r.Status, r.Header)
			}
			r.Close()
		}
	}
	if len(conns) > 0 {
		t.Errorf("%d connections were opened", len(conns))
	}
	s.Poll(url, "o\n", "Origin", "http://"+s.Addr)
}

// TestThreat24Hijack: who knows no more than the id of a session gets nothing of it and puts nothing in, whatever the
// transport; and its owner does not notice.
func TestThreat24Hijack(t *testing.T) {
	t.Parallel()
	const query, bearer = "?token=token-of-alice", "Bearer token-of-alice"
	for name, tc := range map[string]struct {
		query, bearer, from string // what the session was opened with
		theirs              []thief
	}{
		"a token in the URL": {query: query, theirs: []thief{
			{},
			{query: "?token=token-of-bob"},
			{query: "?token="},
			{query: "?ticket=token-of-alice"},
			{bearer: "Bearer token-of-bob"},
			{query: query + "&token=x&ticket=y"},
		}},
		"a token in a header": {bearer: bearer, theirs: []thief{{}, {bearer: "Bearer token-of-bob"}, {query: "?token=token-of-bob"}}},
		"a token of CONNECT": {from: "192.0.2.1:1000", theirs: []thief{
			{from: "192.0.2.2:1000"}, {from: "[2001:db8::1]:1000"}, {from: "192.0.2.1:1000", query: "?token=token-of-bob"},
		}},
		"a token of CONNECT, IPv6": {from: "[2001:db8:0:1::1]:1", theirs: []thief{{from: "[2001:db8:0:2::1]:1"}, {from: "192.0.2.1:1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := echoes(t, oldBrowsers)
			url, owner := sockjstest.Session("/ws"), thief{tc.query, tc.bearer, tc.from}
			s.Want(200, "o\n", "POST", url+"/xhr"+owner.query, "", owner.headers()...)
			s.Want(204, "", "POST", url+"/xhr_send"+owner.query, `["secret"]`, owner.headers()...)
			for _, thief := range tc.theirs {
				thief.steal(t, s, url)
			}
			s.Want(200, "a[\"secret\"]\n", "POST", url+"/xhr"+owner.query, "", owner.headers()...)
		})
	}
}

// The owner of a session may get another port, and within IPv6 another address of the network.
func TestOwnersMayMove(t *testing.T) {
	t.Parallel()
	s := echoes(t, sockjs.Features{})
	for first, second := range map[string]string{
		"192.0.2.1:1000": "192.0.2.1:2000", "[2001:db8:0:1::1]:1": "[2001:db8:0:1:ffff::2]:2", "[::ffff:192.0.2.7]:1": "192.0.2.7:1",
	} {
		url := sockjstest.Session("/ws")
		s.Poll(url, "o\n", fromHeader, first)
		s.Post(url, `["x"]`, fromHeader, second)
	}
}

// thief is what somebody shows who asks for a session.
type thief struct{ query, bearer, from string }

func (th thief) headers() (headers []string) {
	if th.bearer != "" {
		headers = append(headers, "Authorization", th.bearer)
	}
	if th.from != "" {
		headers = append(headers, fromHeader, th.from)
	}
	return headers
}

// steal tries everything that can be done with a session.
func (th thief) steal(t *testing.T, s *sockjstest.Site, url string) {
	t.Helper()
	for _, attempt := range []struct{ method, way, body string }{
		{"POST", "xhr", ""},
		{"POST", "xhr_streaming", ""},
		{"GET", "eventsource", ""},
		{"GET", "htmlfile", ""},
		{"GET", "jsonp", ""},
		{"POST", "xhr_send", `["mine"]`},
		{"POST", "jsonp_send", `["mine"]`},
	} {
		query := th.query
		if attempt.method == "GET" {
			query = "?" + strings.TrimPrefix(query+"&c=callback", "?")
		}
		r, body := s.Do(attempt.method, url+"/"+attempt.way+query, attempt.body, th.headers()...)
		if r.Status != http.StatusNotFound || strings.Contains(body, "secret") {
			t.Errorf("%+v by %s: %d %q, want 404", th, attempt.way, r.Status, body)
		}
	}
}

// TestThreat24IDsStayOutOfLogs: the id of a session, which is half of what it takes, stands in no line of the log.
func TestThreat24IDsStayOutOfLogs(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	s := serveHTTP(t, sockjs.New(sockjs.Options{
		Prefix: "/ws", Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Serve: func(context.Context, *sockjs.Conn, transport.Handshake) { panic("a fault of the server") },
		Admit: func(http.ResponseWriter, *http.Request) (transport.Handshake, bool) {
			return transport.Handshake{}, true
		},
		CheckOrigin: func(http.ResponseWriter, *http.Request) bool { return true },
	}))
	url := sockjstest.Session("/ws")
	s.Poll(url, "o\n")
	s.Poll(url, "c[1011,\"internal error\"]\n")
	if id := url[strings.LastIndex(url, "/")+1:]; !strings.Contains(log.String(), "a fault of the server") || strings.Contains(log.String(), id) {
		t.Errorf("the log is without the fault, or shows the id %s:\n%s", id, log.String())
	}
}

// TestThreat25Callbacks: what is no name of a function never stands in a script of ours.
func TestThreat25Callbacks(t *testing.T) {
	t.Parallel()
	s := echoes(t, oldBrowsers)
	for _, callback := range []string{
		"alert(1)//", "%3Cscript%3E", strings.Repeat("a", 129), "a%0Ab", "a%20b", "a;b", "a%5B0%5D", "%22", "%E2%80%A8", "a-b", "%00",
	} {
		for _, way := range []string{"jsonp", "htmlfile"} {
			for _, name := range []string{"c", "callback"} {
				r, body := s.Do("GET", sockjstest.Session("/ws")+"/"+way+"?"+name+"="+callback, "")
				if r.Status != http.StatusInternalServerError || strings.Contains(body, "alert") || strings.Contains(body, "<") {
					t.Errorf("%s with the callback %.40s: %d %.80q, want 500", way, callback, r.Status, body)
				}
			}
		}
	}
	s.Want(200, "_jp.a$1(\"o\");\r\n", "GET", sockjstest.Session("/ws")+"/jsonp?c=_jp.a$1", "")
	name := strings.Repeat("a", 128)
	s.Want(200, name+"(\"o\");\r\n", "GET", sockjstest.Session("/ws")+"/jsonp?c="+name, "")
}

// TestThreat25OffByDefault: what only browsers of another age need is not there unless somebody asks for it.
func TestThreat25OffByDefault(t *testing.T) {
	t.Parallel()
	s := echoes(t, sockjs.Features{})
	url := sockjstest.Session("/ws")
	s.Poll(url, "o\n")
	for path, method := range map[string]string{
		url + "/jsonp?c=x": "GET", url + "/jsonp_send": "POST", url + "/htmlfile?c=x": "GET", "/ws/iframe.html": "GET",
		"/ws/iframe-1.6.1.html": "GET",
	} {
		if r, body := s.Do(method, path, `["x"]`); r.Status != http.StatusNotFound {
			t.Errorf("%s: %d %q, want 404", path, r.Status, body)
		}
	}
}

// TestThreat25NothingIsSniffedOrFramed: answers are what their type says and no attachment to save under a name of the
// URL's making; the one page there is may be framed by those who are named, and nobody else.
func TestThreat25NothingIsSniffedOrFramed(t *testing.T) {
	t.Parallel()
	s := echoes(t, oldBrowsers)
	url := sockjstest.Session("/ws")
	for _, request := range [][2]string{
		{"GET", "/ws"},
		{"GET", "/ws/info"},
		{"GET", "/ws/iframe.html"},
		{"OPTIONS", "/ws/info"},
		{"POST", url + "/xhr"},
		{"POST", url + "/xhr_send"},
		{"GET", url + "/jsonp?c=x"},
		{"GET", url + "/websocket"},
		{"GET", "/ws/nothing"},
	} {
		r, _ := s.Do(request[0], request[1], `["x"]`)
		if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s %s: %v", request[0], request[1], r.Header)
		}
	}
	r, _ := s.Do("GET", "/ws/iframe.html", "")
	if policy := r.Header.Get("Content-Security-Policy"); r.Header.Get("X-Frame-Options") != "SAMEORIGIN" ||
		!strings.HasSuffix(policy, "frame-ancestors 'self'") || !strings.HasPrefix(policy, "default-src 'none';") ||
		strings.Contains(policy, "unsafe") {
		t.Errorf("the iframe page: %v", r.Header)
	}
	listed := oldBrowsers
	listed.Ancestors = []string{"https://shop.example"}
	r, _ = echoes(t, listed).Do("GET", "/ws/iframe.html", "")
	if policy := r.Header.Get("Content-Security-Policy"); r.Header.Get("X-Frame-Options") != "" ||
		!strings.HasSuffix(policy, "frame-ancestors 'self' https://shop.example") {
		t.Errorf("the iframe page that others may frame: %v", r.Header)
	}
}

// TestThreat25PathsThatLookLikeFiles: no path of ours ends in what a browser would save and a system run.
func TestThreat25PathsThatLookLikeFiles(t *testing.T) {
	t.Parallel()
	s := echoes(t, oldBrowsers)
	url := sockjstest.Session("/ws")
	s.Poll(url, "o\n")
	for _, path := range []string{
		url + "/xhr;x", url + "/jsonp;a.bat?c=x", url + "/jsonp.bat?c=x", url + "/jsonp/a.bat?c=x", url + "/xhr.bat",
		url + ".bat/xhr", url + "/xhr%3Bx", url + "/xhr%2Ebat", "/ws/info;x", "/ws/info.bat", "/ws/info/a.bat", "/ws/iframe.html;a.bat",
		"/ws/iframe.bat", "/ws/iframe;.html", "/ws;/info", "/ws/;a.bat",
	} {
		for _, method := range []string{"GET", "POST"} {
			if r, body := s.Do(method, path, ""); r.Status != http.StatusNotFound {
				t.Errorf("%s %s: %d %q, want 404", method, path, r.Status, body)
			}
		}
	}
}

// TestThreat26EventStream: whatever a message holds, it is one datum of the event stream.
func TestThreat26EventStream(t *testing.T) {
	t.Parallel()
	s, conns := accepting(t, sockjs.Options{})
	r := s.Start("GET", sockjstest.Session("/ws")+"/eventsource", "")
	r.Chunk() // the prelude
	if first := r.Chunk(); first != "data: o\r\n\r\n" {
		t.Fatalf("the stream begins with %q", first)
	}
	c := <-conns
	for _, message := range []string{
		"\r\ndata: evil\r\n\r\n", "a\n\nevent: evil\ndata: a[\"evil\"]\n\n", "\rid: 1\r\rretry: 1\r", "\u2028data: evil\u2029\u0085", "\x00",
	} {
		if err := c.Write(t.Context(), [][]byte{[]byte(message)}); err != nil {
			t.Fatal(err)
		}
		chunk := r.Chunk()
		datum, begins := strings.CutPrefix(chunk, "data: ")
		datum, ends := strings.CutSuffix(datum, "\r\n\r\n")
		var got []string
		if !begins || !ends || strings.ContainsAny(datum, "\r\n\u2028\u2029\x00") {
			t.Errorf("%q is sent as %q", message, chunk)
		} else if err := parseFrame(datum, &got); err != nil || fmt.Sprint(got) != fmt.Sprint([]string{message}) {
			t.Errorf("%q arrives as %q, %v", message, got, err)
		}
	}
}

// lockedBuffer is a bytes.Buffer that several goroutines write.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
