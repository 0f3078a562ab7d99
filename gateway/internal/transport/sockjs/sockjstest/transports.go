package sockjstest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func testWebsocketHttpErrors(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_httpMethod": func(t *testing.T, s *Site) {
			r, body := s.Do("GET", echoURL+"/0/0/websocket", "")
			if r.Status != 400 || !strings.Contains(body, `Can "Upgrade" only to "WebSocket".`) {
				t.Errorf("%d %q", r.Status, body)
			}
		},
		"test_invalidConnectionHeader": func(t *testing.T, s *Site) {
			r, body := s.Do("GET", echoURL+"/0/0/websocket", "", "Upgrade", "WebSocket", "Connection", "close")
			if r.Status != 400 || !strings.Contains(body, `"Connection" must be "Upgrade".`) {
				t.Errorf("%d %q", r.Status, body)
			}
		},
		"test_invalidMethod": func(t *testing.T, s *Site) {
			for _, headers := range [][]string{{"Upgrade", "WebSocket", "Connection", "Upgrade"}, nil} {
				r := s.Want(405, "", "POST", echoURL+"/0/0/websocket", "", headers...)
				r.wantHeader("Content-Type", "")
				if r.Header.Get("Allow") == "" {
					t.Error("no Allow")
				}
			}
		},
	})
}

// webSocketCases are those that the suite has for each draft; they differ in the client only, and all clients of today
// speak RFC 6455.
var webSocketCases = map[string]func(*testing.T, *Site){
	"test_transport": func(t *testing.T, s *Site) {
		c := s.Dial(Session(echoURL) + "/websocket")
		Recv(t, c, "o")
		send(t, c, "")
		send(t, c, `["a"]`)
		Recv(t, c, `a["a"]`)
	},
	"test_close": func(t *testing.T, s *Site) {
		c := s.Dial(Session(closeURL) + "/websocket")
		Recv(t, c, "o")
		Recv(t, c, `c[3000,"Go away!"]`)
		recvEnd(t, c)
	},
	"test_broken_json": func(t *testing.T, s *Site) {
		c := s.Dial(Session(echoURL) + "/websocket")
		Recv(t, c, "o")
		send(t, c, `["a`)
		recvEnd(t, c)
	},
}

func testWebsocketHixie76(t *testing.T, addr string) {
	methods := map[string]func(*testing.T, *Site){
		"test_empty_frame": webSocketCases["test_transport"],
		"test_reuseSessionId": func(t *testing.T, s *Site) {
			path := Session(echoURL) + "/websocket"
			c1, c2 := s.Dial(path), s.Dial(path)
			Recv(t, c1, "o")
			Recv(t, c2, "o")
			send(t, c1, `["a"]`)
			Recv(t, c1, `a["a"]`)
			send(t, c2, `["b"]`)
			Recv(t, c2, `a["b"]`)
			_, _ = c1.CloseNow(), c2.CloseNow()
			c1 = s.Dial(path)
			Recv(t, c1, "o")
			send(t, c1, `["a"]`)
			Recv(t, c1, `a["a"]`)
		},
	}
	for name, run := range webSocketCases {
		methods[name] = run
	}
	cases(t, addr, methods)
}

func testWebsocketHybi10(t *testing.T, addr string) {
	handshake := func(s *Site, version, connection string) *Reply {
		return s.Start("GET", Session(echoURL)+"/websocket", "", "Upgrade", "websocket", "Connection", connection,
			"Sec-WebSocket-Version", version, "Sec-WebSocket-Origin", "http://asd",
			"Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw==")
	}
	methods := map[string]func(*testing.T, *Site){
		"test_headersSanity": func(t *testing.T, s *Site) {
			for _, version := range []string{"7", "8", "13"} {
				r := handshake(s, version, "Upgrade")
				if r.Status != 101 || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") ||
					!strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
					t.Errorf("version %s: %d %v", version, r.Status, r.Header)
				}
				r.wantHeader("Sec-Websocket-Accept", "HSmrc0sMlYUkAGmm5OPpG2HaGWk=")
				r.wantHeader("Content-Length", "")
			}
		},
		"test_firefox_602_connection_header": func(t *testing.T, s *Site) {
			if r := handshake(s, "7", "keep-alive, Upgrade"); r.Status != 101 {
				t.Errorf("%d", r.Status)
			}
		},
	}
	for name, run := range webSocketCases {
		methods[name] = run
	}
	cases(t, addr, methods)
}

func testXhrPolling(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_options": func(_ *testing.T, s *Site) {
			for _, suffix := range []string{"/xhr", "/xhr_send"} {
				s.wantOptions(echoURL+"/abc/abc"+suffix, "OPTIONS, POST")
			}
		},
		"test_transport": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			r := s.Poll(url, "o\n")
			r.wantContentType("application/javascript;charset=UTF-8")
			r.wantCORS("")
			r.wantNotCached()
			r = s.Post(url, `["x"]`)
			r.wantContentType("text/plain;charset=UTF-8")
			r.wantCORS("")
			r.wantNotCached()
			s.Poll(url, "a[\"x\"]\n")
		},
		"test_invalid_session": func(t *testing.T, s *Site) {
			if r, _ := s.Do("POST", Session(echoURL)+"/xhr_send", `["x"]`); r.Status != 404 {
				t.Errorf("%d", r.Status)
			}
		},
		"test_invalid_json": func(t *testing.T, s *Site) {
			url := Session(echoURL)
			s.Poll(url, "o\n")
			for body, want := range map[string]string{`["x`: "Broken JSON encoding.", "": "Payload expected."} {
				if r, got := s.Do("POST", url+"/xhr_send", body); r.Status != 500 || !strings.Contains(got, want) {
					t.Errorf("%q: %d %q", body, r.Status, got)
				}
			}
			s.Post(url, `["a"]`)
			s.Poll(url, "a[\"a\"]\n")
		},
		"test_content_types": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			s.Poll(url, "o\n")
			types := []string{
				"text/plain", "T", "application/json", "application/xml", "", "application/json; charset=utf-8",
				"text/xml; charset=utf-8", "text/xml",
			}
			for _, contentType := range types {
				s.Post(url, `["a"]`, "Content-Type", contentType)
			}
			s.Poll(url, `a["a"`+strings.Repeat(`,"a"`, len(types)-1)+"]\n")
		},
		"test_request_headers_cors": func(_ *testing.T, s *Site) {
			for _, wanted := range []string{"a, b, c", ""} {
				r := s.Poll(Session(echoURL), "o\n", "Access-Control-Request-Headers", wanted)
				r.wantCORS("")
				r.wantHeader("Access-Control-Allow-Headers", wanted)
			}
			s.Poll(Session(echoURL), "o\n").wantHeader("Access-Control-Allow-Headers", "")
		},
	})
}

func testXhrStreaming(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_options": func(_ *testing.T, s *Site) {
			s.wantOptions(echoURL+"/abc/abc/xhr_streaming", "OPTIONS, POST")
		},
		"test_transport": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			r := s.stream(url, "o\n")
			r.wantContentType("application/javascript;charset=UTF-8")
			r.wantCORS("")
			r.wantNotCached()
			s.Post(url, `["x"]`)
			r.wantChunks("a[\"x\"]\n")
		},
		"test_response_limit": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			r := s.stream(url, "o\n")
			message := `["` + strings.Repeat("x", 128) + `"]`
			for range 31 {
				s.Post(url, message)
				r.wantChunks("a" + message + "\n")
			}
			r.wantChunks("")
		},
	})
}

func testEventSource(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_transport": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			r := s.Start("GET", url+"/eventsource", "")
			r.wantContentType("text/event-stream;charset=UTF-8")
			r.wantNotCached()
			r.wantChunks("\r\n", "data: o\r\n\r\n")
			s.Post(url, `["x"]`)
			r.wantChunks("data: a[\"x\"]\r\n\r\n")
			s.Post(url, `["  \u0000\n\r "]`)
			r.wantChunks("data: a[\"  \\u0000\\n\\r \"]\r\n\r\n")
		},
		"test_response_limit": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			r := s.Start("GET", url+"/eventsource", "")
			r.wantChunks("\r\n", "data: o\r\n\r\n")
			message := `["` + strings.Repeat("x", 4096) + `"]`
			s.Post(url, message)
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

func testHtmlFile(t *testing.T, addr string) {
	open := func(t *testing.T, s *Site, url, query string) *Reply {
		r := s.Start("GET", url+"/htmlfile?"+query, "")
		head := r.Chunk()
		if strings.TrimSpace(head) != fmt.Sprintf(htmlFileHead, "callback") || len(head) <= 1024 {
			t.Errorf("the head has %d bytes: %q", len(head), head)
		}
		r.wantChunks("<script>\np(\"o\");\n</script>\r\n")
		return r
	}
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_transport": func(t *testing.T, s *Site) {
			url := Session(echoURL)
			r := open(t, s, url, "c=%63allback")
			r.wantContentType("text/html;charset=UTF-8")
			r.wantNotCached()
			s.Post(url, `["x"]`)
			r.wantChunks("<script>\np(\"a[\\\"x\\\"]\");\n</script>\r\n")
		},
		"test_no_callback": func(t *testing.T, s *Site) { s.wantNoCallback(echoURL + "/a/a/htmlfile") },
		"test_response_limit": func(t *testing.T, s *Site) {
			url := Session(echoURL)
			r := open(t, s, url, "c=callback")
			message := strings.Repeat("x", 4096)
			s.Post(url, `["`+message+`"]`)
			r.wantChunks("<script>\np(\"a[\\\""+message+"\\\"]\");\n</script>\r\n", "")
		},
	})
}

func (s *Site) wantNoCallback(path string) {
	s.t.Helper()
	if r, body := s.Do("GET", path, ""); r.Status != 500 || !strings.Contains(body, `"callback" parameter required`) {
		s.t.Errorf("%d %q", r.Status, body)
	}
}

const form = "application/x-www-form-urlencoded"

// jsonp polls with a callback.
func (s *Site) jsonp(url, callback, frame string) *Reply {
	s.t.Helper()
	return s.Want(200, callback+"("+frame+");\r\n", "GET", url+"/jsonp?c="+callback, "")
}

func (s *Site) jsonpSend(url, body, contentType string) *Reply {
	s.t.Helper()
	return s.Want(200, "ok", "POST", url+"/jsonp_send", body, "Content-Type", contentType)
}

func testJsonPolling(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_transport": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			r := s.Want(200, "callback(\"o\");\r\n", "GET", url+"/jsonp?c=%63allback", "")
			r.wantContentType("application/javascript;charset=UTF-8")
			r.wantNotCached()
			r = s.jsonpSend(url, "d=%5B%22x%22%5D", form)
			r.wantContentType("text/plain;charset=UTF-8")
			r.wantNotCached()
			s.jsonp(url, "callback", `"a[\"x\"]"`)
		},
		"test_no_callback": func(_ *testing.T, s *Site) { s.wantNoCallback(echoURL + "/a/a/jsonp") },
		"test_invalid_json": func(t *testing.T, s *Site) {
			url := Session(echoURL)
			s.jsonp(url, "x", `"o"`)
			for body, want := range map[string]string{
				"d=%5B%22x": "Broken JSON encoding.", "": "Payload expected.", "d=": "Payload expected.",
				"p=p": "Payload expected.",
			} {
				r, got := s.Do("POST", url+"/jsonp_send", body, "Content-Type", form)
				if r.Status != 500 || !strings.Contains(got, want) {
					t.Errorf("%q: %d %q", body, r.Status, got)
				}
			}
			s.jsonpSend(url, "d=%5B%22b%22%5D", form)
			s.jsonp(url, "x", `"a[\"b\"]"`)
		},
		"test_content_types": func(_ *testing.T, s *Site) {
			url := Session(echoURL)
			s.jsonp(url, "x", `"o"`)
			s.jsonpSend(url, "d=%5B%22abc%22%5D", form)
			s.jsonpSend(url, `["%61bc"]`, "text/plain")
			s.jsonp(url, "x", `"a[\"abc\",\"%61bc\"]"`)
		},
		"test_close": func(_ *testing.T, s *Site) {
			url := Session(closeURL)
			s.jsonp(url, "x", `"o"`)
			s.jsonp(url, "x", `"c[3000,\"Go away!\"]"`)
			s.jsonp(url, "x", `"c[3000,\"Go away!\"]"`)
		},
	})
}

func testJsessionidCookie(t *testing.T, addr string) {
	check := func(r *Reply, value string) {
		r.t.Helper()
		parts := strings.Split(r.Header.Get("Set-Cookie"), ";")
		if parts[0] != "JSESSIONID="+value || len(parts) < 2 || !strings.EqualFold(strings.TrimSpace(parts[1]), "path=/") {
			r.t.Errorf("Set-Cookie: %q", r.Header.Get("Set-Cookie"))
		}
	}
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_basic": func(t *testing.T, s *Site) {
			r, told := s.info(cookieURL)
			r.wantHeader("Set-Cookie", "")
			if !*told.CookieNeeded {
				t.Error("no cookie is needed")
			}
		},
		"test_xhr": func(_ *testing.T, s *Site) {
			check(s.Poll(Session(cookieURL), "o\n"), "dummy")
			check(s.Poll(Session(cookieURL), "o\n", "Cookie", "JSESSIONID=abcdef"), "abcdef")
		},
		"test_xhr_streaming": func(_ *testing.T, s *Site) {
			check(s.Start("POST", Session(cookieURL)+"/xhr_streaming", ""), "dummy")
		},
		"test_eventsource": func(_ *testing.T, s *Site) {
			check(s.Start("GET", Session(cookieURL)+"/eventsource", ""), "dummy")
		},
		"test_htmlfile": func(_ *testing.T, s *Site) {
			check(s.Start("GET", Session(cookieURL)+"/htmlfile?c=%63allback", ""), "dummy")
		},
		"test_jsonp": func(_ *testing.T, s *Site) {
			url := Session(cookieURL)
			check(s.jsonp(url, "callback", `"o"`), "dummy")
			check(s.jsonpSend(url, "d=%5B%22x%22%5D", form), "dummy")
		},
	})
}

func testRawWebsocket(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_transport": func(t *testing.T, s *Site) {
			c := s.Dial(echoURL + "/websocket")
			send(t, c, "Hello world!\uffff")
			Recv(t, c, "Hello world!\uffff")
		},
		"test_close": func(t *testing.T, s *Site) { recvEnd(t, s.Dial(closeURL+"/websocket")) },
	})
}

const greeting = "Welcome to SockJS!\n"

func testHttp10(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_synchronous": func(t *testing.T, s *Site) {
			r := s.begin("GET", echoURL, "HTTP/1.0", "", "Connection", "Keep-Alive")
			r.readHeader()
			if r.Status != 200 {
				t.Fatalf("%d", r.Status)
			}
			r.wantHeader("Transfer-Encoding", "")
			r.wantHeader("Content-Length", "19")
			if got := r.read(len(greeting)); got != greeting {
				t.Errorf("%q", got)
			}
			if !strings.EqualFold(r.Header.Get("Connection"), "keep-alive") {
				r.closed()
				return
			}
			r.request("GET", echoURL, "HTTP/1.0", "", "Connection", "Keep-Alive")
			if r.readHeader(); r.Status != 200 {
				t.Errorf("the second answer: %d", r.Status)
			}
		},
		"test_streaming": func(t *testing.T, s *Site) {
			r := s.begin("POST", Session(closeURL)+"/xhr_streaming", "HTTP/1.0", "", "Connection", "Keep-Alive")
			r.readHeader()
			if r.Status != 200 {
				t.Fatalf("%d", r.Status)
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

func testHttp11(t *testing.T, addr string) {
	cases(t, addr, map[string]func(*testing.T, *Site){
		"test_synchronous": func(t *testing.T, s *Site) {
			r := s.Start("GET", echoURL, "", "Connection", "Keep-Alive")
			if got := r.Header.Get("Connection"); got != "" && !strings.EqualFold(got, "keep-alive") {
				t.Errorf("Connection: %q", got)
			}
			if got := r.Body(); got != greeting {
				t.Errorf("%q", got)
			}
			r.request("GET", echoURL, "HTTP/1.1", "", "Connection", "Keep-Alive")
			if r.readHeader(); r.Status != http.StatusOK {
				t.Errorf("the second answer: %d", r.Status)
			}
		},
		"test_streaming": func(t *testing.T, s *Site) {
			r := s.Start("POST", Session(closeURL)+"/xhr_streaming", "", "Connection", "Keep-Alive")
			r.wantHeader("Transfer-Encoding", "chunked")
			r.wantHeader("Content-Length", "")
			if prelude := r.Chunk(); prelude[0] != 'h' {
				t.Errorf("the prelude begins with %q", prelude[:1])
			}
			r.wantChunks("o\n", "c[3000,\"Go away!\"]\n", "")
		},
	})
}
