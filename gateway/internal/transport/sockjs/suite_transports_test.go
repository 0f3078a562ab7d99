package sockjs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestWebsocketHttpErrors(t *testing.T) {
	suite(t, map[string]func(*testing.T, *site){
		"test_httpMethod": func(t *testing.T, s *site) {
			r, body := s.do("GET", echoURL+"/0/0/websocket", "")
			if r.status != 400 || !strings.Contains(body, `Can "Upgrade" only to "WebSocket".`) {
				t.Errorf("%d %q", r.status, body)
			}
		},
		"test_invalidConnectionHeader": func(t *testing.T, s *site) {
			r, body := s.do("GET", echoURL+"/0/0/websocket", "", "Upgrade", "WebSocket", "Connection", "close")
			if r.status != 400 || !strings.Contains(body, `"Connection" must be "Upgrade".`) {
				t.Errorf("%d %q", r.status, body)
			}
		},
		"test_invalidMethod": func(t *testing.T, s *site) {
			for _, headers := range [][]string{{"Upgrade", "WebSocket", "Connection", "Upgrade"}, nil} {
				r := s.want(405, "", "POST", echoURL+"/0/0/websocket", "", headers...)
				r.wantHeader("Content-Type", "")
				if r.header.Get("Allow") == "" {
					t.Error("no Allow")
				}
			}
		},
	})
}

// webSocketCases are those that the suite has for each draft; they differ in the client only, and all clients of today
// speak RFC 6455.
var webSocketCases = map[string]func(*testing.T, *site){
	"test_transport": func(t *testing.T, s *site) {
		c := s.dial(session(echoURL) + "/websocket")
		recv(t, c, "o")
		send(t, c, "")
		send(t, c, `["a"]`)
		recv(t, c, `a["a"]`)
	},
	"test_close": func(t *testing.T, s *site) {
		c := s.dial(session(closeURL) + "/websocket")
		recv(t, c, "o")
		recv(t, c, `c[3000,"Go away!"]`)
		recvEnd(t, c)
	},
	"test_broken_json": func(t *testing.T, s *site) {
		c := s.dial(session(echoURL) + "/websocket")
		recv(t, c, "o")
		send(t, c, `["a`)
		recvEnd(t, c)
	},
}

func TestWebsocketHixie76(t *testing.T) {
	methods := map[string]func(*testing.T, *site){
		"test_empty_frame": webSocketCases["test_transport"],
		"test_reuseSessionId": func(t *testing.T, s *site) {
			path := session(echoURL) + "/websocket"
			c1, c2 := s.dial(path), s.dial(path)
			recv(t, c1, "o")
			recv(t, c2, "o")
			send(t, c1, `["a"]`)
			recv(t, c1, `a["a"]`)
			send(t, c2, `["b"]`)
			recv(t, c2, `a["b"]`)
			_, _ = c1.CloseNow(), c2.CloseNow()
			c1 = s.dial(path)
			recv(t, c1, "o")
			send(t, c1, `["a"]`)
			recv(t, c1, `a["a"]`)
		},
	}
	for name, run := range webSocketCases {
		methods[name] = run
	}
	suite(t, methods)
}

func TestWebsocketHybi10(t *testing.T) {
	handshake := func(s *site, version, connection string) *reply {
		return s.start("GET", session(echoURL)+"/websocket", "", "Upgrade", "websocket", "Connection", connection,
			"Sec-WebSocket-Version", version, "Sec-WebSocket-Origin", "http://asd",
			"Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw==")
	}
	methods := map[string]func(*testing.T, *site){
		"test_headersSanity": func(t *testing.T, s *site) {
			for _, version := range []string{"7", "8", "13"} {
				r := handshake(s, version, "Upgrade")
				if r.status != 101 || !strings.EqualFold(r.header.Get("Connection"), "upgrade") ||
					!strings.EqualFold(r.header.Get("Upgrade"), "websocket") {
					t.Errorf("version %s: %d %v", version, r.status, r.header)
				}
				r.wantHeader("Sec-Websocket-Accept", "HSmrc0sMlYUkAGmm5OPpG2HaGWk=")
				r.wantHeader("Content-Length", "")
			}
		},
		"test_firefox_602_connection_header": func(t *testing.T, s *site) {
			if r := handshake(s, "7", "keep-alive, Upgrade"); r.status != 101 {
				t.Errorf("%d", r.status)
			}
		},
	}
	for name, run := range webSocketCases {
		methods[name] = run
	}
	suite(t, methods)
}

func TestXhrPolling(t *testing.T) {
	suite(t, map[string]func(*testing.T, *site){
		"test_options": func(_ *testing.T, s *site) {
			for _, suffix := range []string{"/xhr", "/xhr_send"} {
				s.wantOptions(echoURL+"/abc/abc"+suffix, "OPTIONS, POST")
			}
		},
		"test_transport": func(_ *testing.T, s *site) {
			url := session(echoURL)
			r := s.poll(url, "o\n")
			r.wantContentType("application/javascript;charset=UTF-8")
			r.wantCORS("")
			r.wantNotCached()
			r = s.post(url, `["x"]`)
			r.wantContentType("text/plain;charset=UTF-8")
			r.wantCORS("")
			r.wantNotCached()
			s.poll(url, "a[\"x\"]\n")
		},
		"test_invalid_session": func(t *testing.T, s *site) {
			if r, _ := s.do("POST", session(echoURL)+"/xhr_send", `["x"]`); r.status != 404 {
				t.Errorf("%d", r.status)
			}
		},
		"test_invalid_json": func(t *testing.T, s *site) {
			url := session(echoURL)
			s.poll(url, "o\n")
			for body, want := range map[string]string{`["x`: "Broken JSON encoding.", "": "Payload expected."} {
				if r, got := s.do("POST", url+"/xhr_send", body); r.status != 500 || !strings.Contains(got, want) {
					t.Errorf("%q: %d %q", body, r.status, got)
				}
			}
			s.post(url, `["a"]`)
			s.poll(url, "a[\"a\"]\n")
		},
		"test_content_types": func(_ *testing.T, s *site) {
			url := session(echoURL)
			s.poll(url, "o\n")
			types := []string{
				"text/plain", "T", "application/json", "application/xml", "", "application/json; charset=utf-8",
				"text/xml; charset=utf-8", "text/xml",
			}
			for _, contentType := range types {
				s.post(url, `["a"]`, "Content-Type", contentType)
			}
			s.gather(url, len(types))
		},
		"test_request_headers_cors": func(_ *testing.T, s *site) {
			for _, wanted := range []string{"a, b, c", ""} {
				r := s.poll(session(echoURL), "o\n", "Access-Control-Request-Headers", wanted)
				r.wantCORS("")
				r.wantHeader("Access-Control-Allow-Headers", wanted)
			}
			s.poll(session(echoURL), "o\n").wantHeader("Access-Control-Allow-Headers", "")
		},
	})
}

// gather polls until n messages "a" have come. The suite wants them in one frame; how many come with a poll depends on
// how fast the echo is.
func (s *site) gather(url string, n int) {
	s.t.Helper()
	for got := 0; got < n; {
		_, body := s.do("POST", url+"/xhr", "")
		var messages []string
		if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "a")), &messages); err != nil {
			s.t.Fatalf("%q: %v", body, err)
		}
		for _, message := range messages {
			if message != "a" {
				s.t.Fatalf("a message is %q", message)
			}
		}
		got += len(messages)
	}
}

func TestXhrStreaming(t *testing.T) {
	suite(t, map[string]func(*testing.T, *site){
		"test_options": func(_ *testing.T, s *site) {
			s.wantOptions(echoURL+"/abc/abc/xhr_streaming", "OPTIONS, POST")
		},
		"test_transport": func(_ *testing.T, s *site) {
			url := session(echoURL)
			r := s.stream(url, "o\n")
			r.wantContentType("application/javascript;charset=UTF-8")
			r.wantCORS("")
			r.wantNotCached()
			s.post(url, `["x"]`)
			r.wantChunks("a[\"x\"]\n")
		},
		"test_response_limit": func(_ *testing.T, s *site) {
			url := session(echoURL)
			r := s.stream(url, "o\n")
			message := `["` + strings.Repeat("x", 128) + `"]`
			for range 31 {
				s.post(url, message)
				r.wantChunks("a" + message + "\n")
			}
			r.wantChunks("")
		},
	})
}

func TestEventSource(t *testing.T) {
	suite(t, map[string]func(*testing.T, *site){
		"test_transport": func(_ *testing.T, s *site) {
			url := session(echoURL)
			r := s.start("GET", url+"/eventsource", "")
			r.wantContentType("text/event-stream;charset=UTF-8")
			r.wantNotCached()
			r.wantChunks("\r\n", "data: o\r\n\r\n")
			s.post(url, `["x"]`)
			r.wantChunks("data: a[\"x\"]\r\n\r\n")
			s.post(url, `["  \u0000\n\r "]`)
			r.wantChunks("data: a[\"  \\u0000\\n\\r \"]\r\n\r\n")
		},
		"test_response_limit": func(_ *testing.T, s *site) {
			url := session(echoURL)
			r := s.start("GET", url+"/eventsource", "")
			r.wantChunks("\r\n", "data: o\r\n\r\n")
			message := `["` + strings.Repeat("x", 4096) + `"]`
			s.post(url, message)
			r.wantChunks("data: a"+message+"\r\n\r\n", "")
		},
	})
}

const htmlFileHead = `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.%s;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>`

func TestHtmlFile(t *testing.T) {
	open := func(t *testing.T, s *site, url, query string) *reply {
		r := s.start("GET", url+"/htmlfile?"+query, "")
		head := r.chunk()
		if strings.TrimSpace(head) != fmt.Sprintf(htmlFileHead, "callback") || len(head) <= 1024 {
			t.Errorf("the head has %d bytes: %q", len(head), head)
		}
		r.wantChunks("<script>\np(\"o\");\n</script>\r\n")
		return r
	}
	suite(t, map[string]func(*testing.T, *site){
		"test_transport": func(t *testing.T, s *site) {
			url := session(echoURL)
			r := open(t, s, url, "c=%63allback")
			r.wantContentType("text/html;charset=UTF-8")
			r.wantNotCached()
			s.post(url, `["x"]`)
			r.wantChunks("<script>\np(\"a[\\\"x\\\"]\");\n</script>\r\n")
		},
		"test_no_callback": func(t *testing.T, s *site) { s.wantNoCallback(echoURL + "/a/a/htmlfile") },
		"test_response_limit": func(t *testing.T, s *site) {
			url := session(echoURL)
			r := open(t, s, url, "c=callback")
			message := strings.Repeat("x", 4096)
			s.post(url, `["`+message+`"]`)
			r.wantChunks("<script>\np(\"a[\\\""+message+"\\\"]\");\n</script>\r\n", "")
		},
	})
}

func (s *site) wantNoCallback(path string) {
	s.t.Helper()
	if r, body := s.do("GET", path, ""); r.status != 500 || !strings.Contains(body, `"callback" parameter required`) {
		s.t.Errorf("%d %q", r.status, body)
	}
}

const form = "application/x-www-form-urlencoded"

// jsonp polls with a callback.
func (s *site) jsonp(url, callback, frame string) *reply {
	s.t.Helper()
	return s.want(200, callback+"("+frame+");\r\n", "GET", url+"/jsonp?c="+callback, "")
}

func (s *site) jsonpSend(url, body, contentType string) *reply {
	s.t.Helper()
	return s.want(200, "ok", "POST", url+"/jsonp_send", body, "Content-Type", contentType)
}

func TestJsonPolling(t *testing.T) {
	suite(t, map[string]func(*testing.T, *site){
		"test_transport": func(_ *testing.T, s *site) {
			url := session(echoURL)
			r := s.want(200, "callback(\"o\");\r\n", "GET", url+"/jsonp?c=%63allback", "")
			r.wantContentType("application/javascript;charset=UTF-8")
			r.wantNotCached()
			r = s.jsonpSend(url, "d=%5B%22x%22%5D", form)
			r.wantContentType("text/plain;charset=UTF-8")
			r.wantNotCached()
			s.jsonp(url, "callback", `"a[\"x\"]"`)
		},
		"test_no_callback": func(_ *testing.T, s *site) { s.wantNoCallback(echoURL + "/a/a/jsonp") },
		"test_invalid_json": func(t *testing.T, s *site) {
			url := session(echoURL)
			s.jsonp(url, "x", `"o"`)
			for body, want := range map[string]string{
				"d=%5B%22x": "Broken JSON encoding.", "": "Payload expected.", "d=": "Payload expected.",
				"p=p": "Payload expected.",
			} {
				r, got := s.do("POST", url+"/jsonp_send", body, "Content-Type", form)
				if r.status != 500 || !strings.Contains(got, want) {
					t.Errorf("%q: %d %q", body, r.status, got)
				}
			}
			s.jsonpSend(url, "d=%5B%22b%22%5D", form)
			s.jsonp(url, "x", `"a[\"b\"]"`)
		},
		"test_content_types": func(_ *testing.T, s *site) {
			url := session(echoURL)
			s.jsonp(url, "x", `"o"`)
			s.jsonpSend(url, "d=%5B%22abc%22%5D", form)
			s.jsonp(url, "x", `"a[\"abc\"]"`)
			s.jsonpSend(url, `["%61bc"]`, "text/plain")
			s.jsonp(url, "x", `"a[\"%61bc\"]"`)
		},
		"test_close": func(_ *testing.T, s *site) {
			url := session(closeURL)
			s.jsonp(url, "x", `"o"`)
			s.jsonp(url, "x", `"c[3000,\"Go away!\"]"`)
			s.jsonp(url, "x", `"c[3000,\"Go away!\"]"`)
		},
	})
}

func TestJsessionidCookie(t *testing.T) {
	check := func(r *reply, value string) {
		r.t.Helper()
		parts := strings.Split(r.header.Get("Set-Cookie"), ";")
		if parts[0] != "JSESSIONID="+value || len(parts) < 2 || !strings.EqualFold(strings.TrimSpace(parts[1]), "path=/") {
			r.t.Errorf("Set-Cookie: %q", r.header.Get("Set-Cookie"))
		}
	}
	suite(t, map[string]func(*testing.T, *site){
		"test_basic": func(t *testing.T, s *site) {
			r, told := s.info(cookieURL)
			r.wantHeader("Set-Cookie", "")
			if !*told.CookieNeeded {
				t.Error("no cookie is needed")
			}
		},
		"test_xhr": func(_ *testing.T, s *site) {
			check(s.poll(session(cookieURL), "o\n"), "dummy")
			check(s.poll(session(cookieURL), "o\n", "Cookie", "JSESSIONID=abcdef"), "abcdef")
		},
		"test_xhr_streaming": func(_ *testing.T, s *site) {
			check(s.start("POST", session(cookieURL)+"/xhr_streaming", ""), "dummy")
		},
		"test_eventsource": func(_ *testing.T, s *site) {
			check(s.start("GET", session(cookieURL)+"/eventsource", ""), "dummy")
		},
		"test_htmlfile": func(_ *testing.T, s *site) {
			check(s.start("GET", session(cookieURL)+"/htmlfile?c=%63allback", ""), "dummy")
		},
		"test_jsonp": func(_ *testing.T, s *site) {
			url := session(cookieURL)
			check(s.jsonp(url, "callback", `"o"`), "dummy")
			check(s.jsonpSend(url, "d=%5B%22x%22%5D", form), "dummy")
		},
	})
}

func TestRawWebsocket(t *testing.T) {
	suite(t, map[string]func(*testing.T, *site){
		"test_transport": func(t *testing.T, s *site) {
			c := s.dial(echoURL + "/websocket")
			send(t, c, "Hello world!\uffff")
			recv(t, c, "Hello world!\uffff")
		},
		"test_close": func(t *testing.T, s *site) { recvEnd(t, s.dial(closeURL+"/websocket")) },
	})
}

const greeting = "Welcome to SockJS!\n"

func TestHttp10(t *testing.T) {
	suite(t, map[string]func(*testing.T, *site){
		"test_synchronous": func(t *testing.T, s *site) {
			r := s.begin("GET", echoURL, "HTTP/1.0", "", "Connection", "Keep-Alive")
			r.readHeader()
			if r.status != 200 {
				t.Fatalf("%d", r.status)
			}
			r.wantHeader("Transfer-Encoding", "")
			r.wantHeader("Content-Length", "19")
			if got := r.read(len(greeting)); got != greeting {
				t.Errorf("%q", got)
			}
			if !strings.EqualFold(r.header.Get("Connection"), "keep-alive") {
				r.closed()
				return
			}
			r.request("GET", echoURL, "HTTP/1.0", "", "Connection", "Keep-Alive")
			if r.readHeader(); r.status != 200 {
				t.Errorf("the second answer: %d", r.status)
			}
		},
		"test_streaming": func(t *testing.T, s *site) {
			r := s.begin("POST", session(closeURL)+"/xhr_streaming", "HTTP/1.0", "", "Connection", "Keep-Alive")
			r.readHeader()
			if r.status != 200 {
				t.Fatalf("%d", r.status)
			}
			r.wantHeader("Transfer-Encoding", "")
			r.wantHeader("Content-Length", "")
			if got := r.read(2049); got[0] != 'h' {
				t.Errorf("the prelude begins with %q", got[:1])
			}
			if got := r.read(2 + 19); got != "o\nc[3000,\"Go away!\"]\n" {
				t.Errorf("%q", got)
			}
			r.closed()
		},
	})
}

func TestHttp11(t *testing.T) {
	suite(t, map[string]func(*testing.T, *site){
		"test_synchronous": func(t *testing.T, s *site) {
			r := s.start("GET", echoURL, "", "Connection", "Keep-Alive")
			if got := r.header.Get("Connection"); got != "" && !strings.EqualFold(got, "keep-alive") {
				t.Errorf("Connection: %q", got)
			}
			if got := r.body(); got != greeting {
				t.Errorf("%q", got)
			}
			r.request("GET", echoURL, "HTTP/1.1", "", "Connection", "Keep-Alive")
			if r.readHeader(); r.status != http.StatusOK {
				t.Errorf("the second answer: %d", r.status)
			}
		},
		"test_streaming": func(t *testing.T, s *site) {
			r := s.start("POST", session(closeURL)+"/xhr_streaming", "", "Connection", "Keep-Alive")
			r.wantHeader("Transfer-Encoding", "chunked")
			r.wantHeader("Content-Length", "")
			if prelude := r.chunk(); prelude[0] != 'h' {
				t.Errorf("the prelude begins with %q", prelude[:1])
			}
			r.wantChunks("o\n", "c[3000,\"Go away!\"]\n", "")
		},
	})
}
