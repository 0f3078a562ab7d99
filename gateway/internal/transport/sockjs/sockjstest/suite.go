package sockjstest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The tests here and in transports.go are named after the classes and methods of the public suite,
// sockjs-protocol 0.3.3. One of its 68 cases is missing: WebsocketHixie76.test_haproxy, which wants the handshake of a
// draft of 2010 that no browser of this decade speaks.

const (
	echoURL   = "/echo"
	closeURL  = "/close"
	wsOffURL  = "/disabled_websocket_echo"
	cookieURL = "/cookie_needed_echo"
)

// Run runs all cases against the server at host:port, which serves what the suite expects below these four paths:
// /echo, whose streaming answers end after 4096 bytes, /close, /disabled_websocket_echo and /cookie_needed_echo. Some
// cases use sessions with fixed names, as the public suite's do: between two runs it takes the time after which
// the server forgets a session.
func Run(t *testing.T, addr string) {
	for class, run := range map[string]func(*testing.T, string){
		"BaseUrlGreeting":     testBaseUrlGreeting,
		"IframePage":          testIframePage,
		"InfoTest":            testInfoTest,
		"SessionURLs":         testSessionURLs,
		"Protocol":            testProtocol,
		"JSONEncoding":        testJSONEncoding,
		"HandlingClose":       testHandlingClose,
		"WebsocketHttpErrors": testWebsocketHttpErrors,
		"WebsocketHixie76":    testWebsocketHixie76,
		"WebsocketHybi10":     testWebsocketHybi10,
		"XhrPolling":          testXhrPolling,
		"XhrStreaming":        testXhrStreaming,
		"EventSource":         testEventSource,
		"HtmlFile":            testHtmlFile,
		"JsonPolling":         testJsonPolling,
		"JsessionidCookie":    testJsessionidCookie,
		"RawWebsocket":        testRawWebsocket,
		"Http10":              testHttp10,
		"Http11":              testHttp11,
	} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			run(t, addr)
		})
	}
}

// cases runs the methods of one class.
func cases(t *testing.T, addr string, methods map[string]func(t *testing.T, s *Site)) {
	t.Helper()
	for name, run := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, NewSite(t, addr))
		})
	}
}

func (r *Reply) wantHeader(key, value string) {
	r.t.Helper()
	if got := r.Header.Get(key); got != value {
		r.t.Errorf("%s: %q, want %q", key, got, value)
	}
}

func (r *Reply) wantContentType(value string) {
	r.t.Helper()
	if got := strings.ReplaceAll(r.Header.Get("Content-Type"), " ", ""); got != value {
		r.t.Errorf("Content-Type: %q, want %q", got, value)
	}
}

func (r *Reply) wantNotCached() {
	r.t.Helper()
	r.wantHeader("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0")
	r.wantHeader("Expires", "")
	r.wantHeader("Last-Modified", "")
}

var largeMaxAge = regexp.MustCompile(`max-age=[1-9][0-9]{6}`)

func (r *Reply) wantCached() {
	r.t.Helper()
	if control := r.Header.Get("Cache-Control"); !strings.Contains(control, "public") || !largeMaxAge.MatchString(control) {
		r.t.Errorf("Cache-Control: %q", control)
	}
	if r.Header.Get("Expires") == "" {
		r.t.Error("no Expires")
	}
	r.wantHeader("Last-Modified", "")
}

func (r *Reply) wantCORS(origin string) {
	r.t.Helper()
	if origin == "" || origin == "null" {
		origin = "*"
	}
	r.wantHeader("Access-Control-Allow-Origin", origin)
	r.wantHeader("Access-Control-Allow-Credentials", "true")
}

func (s *Site) wantOptions(path, methods string) {
	s.t.Helper()
	for _, origin := range []string{"", "test", "null"} {
		var headers []string
		if origin != "" {
			headers = []string{"Origin", origin}
		}
		r := s.Want(204, "", "OPTIONS", path, "", headers...)
		r.wantCached()
		r.wantCORS(origin)
		r.wantHeader("Access-Control-Allow-Methods", methods)
		if age, err := strconv.Atoi(r.Header.Get("Access-Control-Max-Age")); err != nil || age <= 1_000_000 {
			s.t.Errorf("Access-Control-Max-Age: %d, %v", age, err)
		}
	}
}

func (s *Site) want404(method, path string) {
	s.t.Helper()
	if r, body := s.Do(method, path, ""); r.Status != 404 {
		s.t.Errorf("%s %s: %d %.100q, want 404", method, path, r.Status, body)
	}
}

func testBaseUrlGreeting(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_greeting": func(_ *testing.T, s *Site) {
			for _, url := range []string{echoURL, echoURL + "/"} {
				r := s.Want(200, "Welcome to SockJS!\n", "GET", url, "")
				r.wantContentType("text/plain;charset=UTF-8")
				r.wantHeader("Set-Cookie", "")
			}
		},
		"test_notFound": func(_ *testing.T, s *Site) {
			for _, suffix := range []string{"/a", "/a.html", "//", "///", "/a/a", "/a/a/", "/a/"} {
				s.want404("GET", echoURL+suffix)
			}
		},
	})
}

var iframeBody = regexp.MustCompile(`^<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script>
    document.domain = document.domain;
    _sockjs_onload = function\(\){SockJS.bootstrap_iframe\(\);};
  </script>
  <script src="(/|http)[^"]*"></script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>$`)

func testIframePage(t *testing.T, addr string) {
	verify := func(s *Site, suffixes ...string) {
		for _, suffix := range suffixes {
			r, body := s.Do("GET", echoURL+suffix, "")
			if r.Status != 200 || !iframeBody.MatchString(strings.TrimSpace(body)) {
				s.t.Errorf("%s: %d %q", suffix, r.Status, body)
			}
			r.wantContentType("text/html;charset=UTF-8")
			r.wantCached()
			r.wantHeader("Set-Cookie", "")
			if r.Header.Get("ETag") == "" {
				s.t.Errorf("%s: no ETag", suffix)
			}
		}
	}
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_simpleUrl": func(_ *testing.T, s *Site) { verify(s, "/iframe.html") },
		"test_versionedUrl": func(_ *testing.T, s *Site) {
			verify(s, "/iframe-a.html", "/iframe-.html", "/iframe-0.1.2.html", "/iframe-0.1.2abc-dirty.2144.html")
		},
		"test_queriedUrl": func(_ *testing.T, s *Site) {
			verify(s, "/iframe-a.html?t=1234", "/iframe-0.1.2.html?t=123414", "/iframe-0.1.2abc-dirty.2144.html?t=qweqweq123")
		},
		"test_invalidUrl": func(_ *testing.T, s *Site) {
			for _, suffix := range []string{
				"/iframe.htm", "/iframe", "/IFRAME.HTML", "/IFRAME", "/iframe.HTML", "/iframe.xml", "/iframe-/.html",
			} {
				s.want404("GET", echoURL+suffix)
			}
		},
		"test_cacheability": func(t *testing.T, s *Site) {
			r1, _ := s.Do("GET", echoURL+"/iframe.html", "")
			r2, _ := s.Do("GET", echoURL+"/iframe.html", "")
			etag := r1.Header.Get("ETag")
			if etag == "" || r2.Header.Get("ETag") != etag {
				t.Errorf("ETags %q and %q", etag, r2.Header.Get("ETag"))
			}
			r := s.Want(304, "", "GET", echoURL+"/iframe.html", "", "If-None-Match", etag)
			r.wantHeader("Content-Type", "")
		},
	})
}

// info is what /info tells.
type info struct {
	WebSocket    bool     `json:"websocket"`
	CookieNeeded *bool    `json:"cookie_needed"`
	Origins      []string `json:"origins"`
	Entropy      *uint32  `json:"entropy"`
}

func (s *Site) info(url string) (*Reply, info) {
	s.t.Helper()
	r, body := s.Do("GET", url+"/info", "")
	var told info
	if err := json.Unmarshal([]byte(body), &told); r.Status != 200 || err != nil || told.Entropy == nil {
		s.t.Fatalf("%s/info: %d %q, %v", url, r.Status, body, err)
	}
	return r, told
}

func testInfoTest(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_basic": func(t *testing.T, s *Site) {
			r, told := s.info(echoURL)
			r.wantContentType("application/json;charset=UTF-8")
			r.wantHeader("Set-Cookie", "")
			r.wantNotCached()
			r.wantCORS("")
			if !told.WebSocket || told.CookieNeeded == nil || fmt.Sprint(told.Origins) != "[*:*]" {
				t.Errorf("info: %+v", told)
			}
		},
		"test_entropy": func(t *testing.T, s *Site) {
			_, first := s.info(echoURL)
			_, second := s.info(echoURL)
			if *first.Entropy == *second.Entropy {
				t.Errorf("entropy is %d twice", *first.Entropy)
			}
		},
		"test_options": func(_ *testing.T, s *Site) { s.wantOptions(echoURL+"/info", "OPTIONS, GET") },
		"test_options_null_origin": func(_ *testing.T, s *Site) {
			s.Want(204, "", "OPTIONS", echoURL+"/info", "", "Origin", "null").wantHeader("Access-Control-Allow-Origin", "*")
		},
		"test_disabled_websocket": func(t *testing.T, s *Site) {
			if _, told := s.info(wsOffURL); told.WebSocket {
				t.Error("websocket is offered where it is off")
			}
		},
	})
}

func testSessionURLs(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_anyValue": func(_ *testing.T, s *Site) {
			for _, part := range []string{"/a/a", "/_/_", "/1/1", "/abcdefgh_i-j%20/abcdefg_i-j%20"} {
				s.Poll(echoURL+part, "o\n")
			}
		},
		"test_invalidPaths": func(_ *testing.T, s *Site) {
			for _, suffix := range []string{"//", "/a./a", "/a/a.", "/./.", "/", "///"} {
				s.want404("GET", echoURL+suffix+"/xhr")
				s.want404("POST", echoURL+suffix+"/xhr")
			}
		},
		"test_ignoringServerId": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			s.Poll(url, "o\n")
			s.Post(url, `["a"]`)
			s.Poll(strings.Replace(url, "/000/", "/999/", 1), "a[\"a\"]\n")
		},
	})
}

const busy = `c[2010,"Another connection still open"]` + "\n"

func testProtocol(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_simpleSession": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			s.Poll(url, "o\n")
			s.Post(url, `["a"]`)
			s.Poll(url, "a[\"a\"]\n")
			s.want404("POST", echoURL+"/000/bad_session/xhr_send")
			waiting := s.waiting(url)
			s.Poll(url, busy)
			waiting.Close()
		},
		"test_closeSession": func(_ *testing.T, s *Site) {
			url := Session(closeURL)
			s.Poll(url, "o\n")
			s.Poll(url, "c[3000,\"Go away!\"]\n")
			s.Poll(url, "c[3000,\"Go away!\"]\n")
		},
	})
}

// waiting returns a poll that waits for messages. The suite counts on it to be first by being sent first; here two
// are sent, and the one that was second is told so.
func (s *Site) waiting(url string) *Reply {
	s.t.Helper()
	r, other := s.begin("POST", url+"/xhr", "HTTP/1.1", ""), s.begin("POST", url+"/xhr", "HTTP/1.1", "")
	answered := make(chan *Reply, 2)
	for _, one := range []*Reply{r, other} {
		go func() {
			if _, err := one.br.Peek(1); err == nil {
				answered <- one
			}
		}()
	}
	first := <-answered
	first.readHeader()
	if body := first.Body(); body != busy {
		s.t.Fatalf("a poll is answered by %q", body)
	}
	if first == other {
		return r
	}
	return other
}

const killers = "the characters that browsers mangle"

func testJSONEncoding(t *testing.T, addr string) {
	// The public suite's patterns of characters that each side must escape.
	byServer := regexp.MustCompile("[\x00-\x1f\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]")
	var escaped, raw strings.Builder
	for r := rune(255); r < 65536; r++ {
		if utf8.ValidRune(r) && byServer.MatchString(string(r)) {
			fmt.Fprintf(&escaped, `\u%04x`, r)
			raw.WriteRune(r)
		}
	}
	var byClient strings.Builder
	for r := range rune(65536) {
		if r < 0x20 || r == '"' || r == '\\' || r >= 0x7f && r <= 0x9f || r >= 0x300 && r <= 0x333 ||
			r >= 0x2000 && r <= 0x20ff || r >= 0xf900 && r <= 0xfad9 || r >= 0xfff0 {
			fmt.Fprintf(&byClient, `\u%04x`, r)
		}
	}
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_xhr_server_encodes": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			s.Poll(url, "o\n")
			s.Post(url, `["`+raw.String()+`"]`)
			s.Poll(url, `a["`+escaped.String()+"\"]\n")
		},
		"test_xhr_server_decodes": func(t *testing.T, s *Site) {
			url := Session(echoURL)
			s.Poll(url, "o\n")
			s.Post(url, `["`+byClient.String()+`"]`)
			_, body := s.Do("POST", url+"/xhr", "")
			var got, want []string
			if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "a")), &got); err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if err := json.Unmarshal([]byte(`["`+byClient.String()+`"]`), &want); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s come back changed", killers)
			}
		},
	})
}

func testHandlingClose(t *testing.T, addr string) {
	interrupted := `c[1002,"Connection interrupted"]` + "\n"
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_close_frame": func(_ *testing.T, s *Site) {
			url := Session(closeURL)
			r1 := s.stream(url, "o\n")
			r1.wantChunks("c[3000,\"Go away!\"]\n")
			r2 := s.stream(url, "c[3000,\"Go away!\"]\n")
			r1.wantChunks("")
			r2.wantChunks("")
		},
		"test_close_request": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			s.stream(url, "o\n")
			s.stream(url, busy).wantChunks("")
		},
		"test_abort_xhr_streaming": func(t *testing.T, s *Site) {
			url := Session(echoURL)
			r1 := s.stream(url, "o\n")
			s.stream(url, busy).wantChunks("")
			r1.Close()
			s.stream(url, interrupted)
		},
		"test_abort_xhr_polling": func(t *testing.T, s *Site) {
			url := Session(echoURL)
			s.Poll(url, "o\n")
			r1 := s.waiting(url)
			s.Poll(url, busy)
			r1.Close()
			s.Poll(url, interrupted)
		},
	})
}

// stream opens a streaming request and passes over its prelude; the chunks after it have to be these.
func (s *Site) stream(url string, chunks ...string) *Reply {
	s.t.Helper()
	r := s.Start("POST", url+"/xhr_streaming", "")
	r.wantChunks(append([]string{strings.Repeat("h", 2048) + "\n"}, chunks...)...)
	return r
}

func (r *Reply) wantChunks(chunks ...string) {
	r.t.Helper()
	for _, want := range chunks {
		if got := r.Chunk(); got != want {
			r.t.Fatalf("chunk %.200q, want %.200q", got, want)
		}
	}
}
