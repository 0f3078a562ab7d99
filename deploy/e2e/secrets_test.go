package e2e_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway"
)

// request sends a request just as it is written, follows nothing, and returns all of the answer: its head too.
func (s *stage) request(t *testing.T, method, target, body string, header map[string]string) (status int, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // of those that would stay open, the beginning is enough
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.httpURL(1)+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = target
	for key, value := range header {
		request.Header.Set(key, value)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return 0, err.Error() // no answer within that second
	}
	defer func() { _ = response.Body.Close() }()
	var all strings.Builder
	if err := response.Header.Write(&all); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(&all, response.Body) // until the second is over
	return response.StatusCode, all.String()
}

// badRequests are what a token in a URL may meet: every path and every way to fail that there is.
func badRequests(token string) []struct{ method, target, body string } {
	query := "token=" + token
	return []struct{ method, target, body string }{
		{"GET", "/ws?" + query, ""},
		{"POST", "/ws?" + query, ""},
		{"GET", "/ws/?" + query, ""},
		{"GET", "/ws/info?" + query, ""},
		{"POST", "/ws/info?" + query, ""},
		{"GET", "/ws/websocket?" + query, ""},
		{"GET", "/ws/iframe.html?" + query, ""},
		{"GET", "/ws/000/leak" + token[len(token)-8:] + "1/nothing?" + query, ""},
		{"GET", "/ws/a.b/c.d/xhr?" + query, ""},
		{"POST", "/ws/000/aaaaaaa1/xhr?" + query, ""},
		{"POST", "/ws/000/aaaaaaa2/xhr_send?" + query, "no json"},
		{"POST", "/ws/000/aaaaaaa3/xhr_streaming?" + query, ""},
		{"GET", "/ws/000/aaaaaaa4/eventsource?" + query, ""},
		{"GET", "/ws/000/aaaaaaa5/jsonp?" + query, ""},
		{"GET", "/ws/000/aaaaaaa6/jsonp?c=cb%28&" + query, ""},
		{"GET", "/ws/000/aaaaaaa7/htmlfile?c=cb&" + query, ""},
		{"GET", "/ws/000/aaaaaaa8/websocket?" + query, ""},
		{"GET", "/?" + query, ""},
		{"GET", "/websocket-chat-client.html?" + query, ""},
		{"POST", "/?" + query, ""},
		{"GET", "/nothing?" + query, ""},
		{"GET", "/x/../nothing?" + query, ""},
		{"GET", "/api//v1/chat-rooms?" + query, ""},
		{"GET", "/api/v1/chat-rooms?" + query, ""},
		{"GET", "/api/v1/chat-rooms?%zz&" + query, ""},
		{"GET", "/api/v1/chat-rooms/x/messages?" + query, ""},
		{"DELETE", "/api/v1/chat-rooms?" + query, ""},
		{"POST", "/api/v1/ws-ticket?" + query, "{}"},
		{"POST", "/api/v1/dev/token?" + query, "no json"},
		{"GET", "/api/v1/openapi.json?" + query, ""},
		{"GET", "/metrics?" + query, ""},
		{"GET", "/healthz?" + query, ""},
		{"GET", "/readyz?" + query, ""},
		{"POST", "/readyz?" + query, ""},
	}
}

// RELIABILITY row 2: whatever happens to a request with a token in its URL, no answer repeats the token, none may be
// kept or referred from, and neither logs nor metrics of any service have it.
func TestThreat02TokensInURLsStayThere(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		alice := s.people(t, "alice")[0]
		late, err := gateway.SignToken(previousSecret, alice.id, -time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		forged := alice.token[:len(alice.token)-6] + "AAAAAA"
		for name, token := range map[string]string{"good": alice.token, "late": late, "forged": forged} {
			signature := token[strings.LastIndexByte(token, '.')+1:]
			for _, bad := range badRequests(token) {
				for _, origin := range []string{"", "https://evil.example"} {
					header := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer"}
					if origin != "" {
						header["Origin"] = origin
					}
					status, answer := s.request(t, bad.method, bad.target, bad.body, header)
					what := name + " token, " + bad.method + " " + strings.ReplaceAll(bad.target, token, "T") + " " + origin
					wantUnseen(t, what, answer, token, signature)
					if status == 0 {
						continue
					}
					head := strings.ToLower(answer)
					if !strings.Contains(head, "referrer-policy: no-referrer") || !strings.Contains(head, "no-store") {
						t.Errorf("%s: %d without Referrer-Policy: no-referrer and Cache-Control: no-store:\n%.500s", what, status, answer)
					}
				}
			}
			s.breakFrames(t, token)
			wantUnseen(t, name+" token: the log", s.journal.String(), token, signature)
			wantUnseen(t, name+" token: the metrics", s.metrics(t), token, signature)
		}
		ticket := s.ticket(t, alice)
		for _, bad := range badRequests(ticket) {
			s.request(t, bad.method, strings.ReplaceAll(bad.target, "token=", "ticket="), bad.body, nil)
		}
		wantUnseen(t, "the log", s.journal.String(), ticket)
		wantUnseen(t, "the metrics", s.metrics(t), ticket)
	})
}

// breakFrames shows a token wherever a frame has room for one, and breaks what follows.
func (s *stage) breakFrames(t *testing.T, token string) {
	t.Helper()
	for _, frames := range []string{
		"CONNECT\naccept-version:1.2\ntoken:" + token + "\n\n\x00SEND\nno colon\n\n\x00",
		"CONNECT\naccept-version:1.2\nAuthorization:Bearer " + token + "x\n\n\x00",
		"CONNECT\naccept-version:1.2\nticket:" + token + "\n\n\x00",
		"CONNECT\naccept-version:9.9\npasscode:" + token + "\n\n\x00",
		"CONNECT\naccept-version:1.2\n" + token + "\n\n\x00",
		token + "\n\n\x00",
		"CONNECT\naccept-version:1.2\ntoken:" + token + "\n\n\x00SEND\ndestination:/app/user/token\n\n{\"token\":\"" + token + "x\"}\x00",
		"CONNECT\naccept-version:1.2\ntoken:" + token + "\n\n\x00SEND\ndestination:/app/user/token\n\n{\"token\":\"" + token + "\x00",
		"CONNECT\naccept-version:1.2\ntoken:" + token + "\n\n\x00SEND\ndestination:/app/chat/1/send\n\n{\"token\":\"" + token + "\"}\x00",
		"CONNECT\naccept-version:1.2\ntoken:" + token + "\n\n\x00SUBSCRIBE\nid:1\ndestination:/topic/" + token + "\n\n\x00",
	} {
		for _, url := range []string{s.wsURL(0), s.wsURL(0) + "?token=" + token} {
			if socket, _, err := websocket.Dial(t.Context(), url, nil); err == nil { //nolint:bodyclose // Dial closes it
				drainFrames(t, socket, frames)
			}
		}
	}
}

// drainFrames sends frames in one message and reads until the server closes, or has nothing to say for a moment.
func drainFrames(t *testing.T, socket *websocket.Conn, frames string) {
	t.Helper()
	defer func() { _ = socket.CloseNow() }()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := socket.Write(ctx, websocket.MessageText, []byte(frames)); err != nil {
		return // it was faster
	}
	for {
		if _, _, err := socket.Read(ctx); err != nil {
			return
		}
	}
}

// RELIABILITY rows 30 and 31: what people write, and what tells who they are, is in no log and no metric, whether it was
// stored or refused; whatever they write, a log entry stays one line; and nothing of theirs becomes a label.
func TestThreat31WhatPeopleWriteStaysTheirs(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		const nasty = "\r\n{\"level\":\"ERROR\",\"msg\":\"forged-entry\"}\n\x1b[31mred\x1b[0m"
		private := []string{
			"meet me at Birkenweg 17", "erika.mustermann@mail.example", "+49 151 2345 6789", "IBAN DE02 1203 0000 0000 2020 51",
			"the listing is stolen, shh", "forged-entry",
		}
		p := s.people(t, "alice", "bob", "eve")
		room := s.room(t, p[0], p[1])
		w := login(t, s.wsURL(0), p[0])
		w.subscribe("e", "/user/queue/errors")
		w.subscribe("r", "/topic/chat/"+room)
		long := strings.Repeat("long ", 2<<10)
		for i, text := range private {
			w.say(room, text+nasty, "c-"+text)
			s.provoke(t, p, room, text+nasty, i)
			s.provoke(t, p, room, text+nasty+long, i)
		}
		for _, who := range p {
			private = append(private, who.token)
		}
		wantUnseen(t, "the log", s.journal.String(), private...)
		wantUnseen(t, "the metrics", s.metrics(t), append(private, p[0].id, p[1].id, p[2].id)...)
		s.journal.lines(t)
		wantFewSeries(t, s.metrics(t))
	})
}

// provoke has a text refused, by frames and by requests, in every field that takes one.
func (s *stage) provoke(t *testing.T, p []person, room, text string, n int) {
	t.Helper()
	oneLine := strings.NewReplacer("\r", "\\r", "\n", "\\n", ":", "\\c").Replace(text) // as STOMP 1.2 escapes it
	connect := "CONNECT\naccept-version:1.2\ntoken:" + p[2].token + "\n\n\x00"
	for _, frame := range []string{
		"SEND\ndestination:/app/chat/" + room + "/send\n\n" + text + "\x00",
		"SEND\ndestination:/app/chat/" + room + "/send\nreceipt:" + oneLine + "\n\n{\"type\":\"TEXT\",\"content\":" + text + "\x00",
		"SEND\ndestination:/app/chat/" + oneLine + "/send\n\n{}\x00",
		"SEND\ndestination:/app/user/status\n\n{\"status\":\"" + oneLine + "\"}\x00",
		"SUBSCRIBE\nid:" + oneLine + "\ndestination:/topic/chat/" + room + "\n\n\x00",
		"SUBSCRIBE\nid:1\ndestination:/topic/" + oneLine + "\n\n\x00",
		"BEGIN\ntransaction:" + oneLine + "\n\n\x00COMMIT\ntransaction:x" + oneLine + "\n\n\x00",
		oneLine + "\nx:y\n\n\x00",
	} {
		if socket, _, err := websocket.Dial(t.Context(), s.wsURL(n%2), nil); err == nil { //nolint:bodyclose // Dial closes it
			drainFrames(t, socket, connect+frame)
		}
	}
	id := "x" + text
	for _, call := range []struct {
		method, path string
		body         any
		who          person
	}{
		{http.MethodPost, "/api/v1/chat-rooms/" + room + "/messages", map[string]any{"content": text, "type": text}, p[0]},
		{http.MethodPost, "/api/v1/chat-rooms/" + room + "/messages", map[string]any{"content": text, "type": "TEXT"}, p[2]},
		{http.MethodPost, "/api/v1/chat-rooms", map[string]any{"name": text, "memberIds": []string{id}}, p[0]},
		{http.MethodPost, "/api/v1/chat-rooms", map[string]any{"name": strings.Repeat(text, 20), "listingId": text}, p[0]},
		{http.MethodPost, "/api/v1/chat-rooms/" + room + "/members", map[string]any{"userIds": []string{id}}, p[0]},
		{http.MethodPatch, "/api/v1/chat-rooms/" + room + "/messages/1", map[string]any{"content": text}, p[1]},
		{http.MethodGet, "/api/v1/presence?userIds=" + url.QueryEscape(text), nil, p[0]},
		{http.MethodGet, "/api/v1/chat-rooms/" + url.PathEscape(text) + "/messages", nil, p[0]},
		{http.MethodGet, "/api/v1/chat-rooms?pageToken=" + url.QueryEscape(text), nil, p[0]},
	} {
		s.rest(t, call.who, call.method, call.path, call.body)
	}
}

// wantFewSeries bounds the number of series of each metric: labels come from fixed sets.
func wantFewSeries(t *testing.T, metrics string) {
	t.Helper()
	const most = 1000
	series := map[string]map[string]bool{}
	for line := range strings.Lines(metrics) {
		name, labels, _ := strings.Cut(line, "{")
		if strings.HasPrefix(line, "#") || labels == "" {
			continue
		}
		if series[name] == nil {
			series[name] = map[string]bool{}
		}
		series[name][labels[:strings.LastIndexByte(labels, '}')+1]] = true
	}
	if len(series) < 10 {
		t.Errorf("only %d metrics with labels were found", len(series))
	}
	for name, all := range series {
		if len(all) > most {
			t.Errorf("%s has %d series, want at most %d", name, len(all), most)
		}
	}
}
