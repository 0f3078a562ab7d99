package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// RELIABILITY row 36: what a page of another site can have a browser send changes nothing: it has no bearer token, it
// cannot post JSON without being asked first, and a GET changes no state.
func TestThreat36CrossSiteRequests(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		login(t, s.wsURL(0), p[0]).say(room, "as it was", "1")
		before := s.snapshot(t, p[0], room)

		_, described := s.request(t, "GET", "/api/v1/openapi.json", "", nil)
		var doc struct {
			Paths map[string]map[string]any `json:"paths"`
		}
		if err := json.Unmarshal([]byte(described[strings.IndexByte(described, '{'):]), &doc); err != nil || len(doc.Paths) < 5 {
			t.Fatalf("the description: %d paths, %v", len(doc.Paths), err)
		}
		fill := strings.NewReplacer("{chatRoomId}", room, "{seq}", "1", "{userId}", p[1].id)
		body := `{"content":"forged","memberIds":["` + p[1].id + `"],"userId":"eve","seq":"1","name":"forged"}`
		for template, methods := range doc.Paths {
			path := fill.Replace(template)
			for method := range methods {
				s.forge(t, strings.ToUpper(method), path, body, p[0])
			}
			for _, method := range []string{"GET", "HEAD"} {
				s.request(t, method, path+"?_method=DELETE&content=forged&memberIds=eve", body, map[string]string{
					"Authorization": "Bearer " + p[0].token, "X-HTTP-Method-Override": "POST", "X-Http-Method": "DELETE",
					"Content-Type": "application/json",
				})
			}
		}
		if after := s.snapshot(t, p[0], room); after != before {
			t.Errorf("something has changed:\n%s\nwas:\n%s", after, before)
		}
	})
}

// forge sends what a page of another site can: with what the browser adds by itself, and as a form would be. Only what
// such a page never has, the bearer token, is sent as well where the body alone has to be refused.
func (s *stage) forge(t *testing.T, method, path, body string, victim person) {
	t.Helper()
	const evil = "https://evil.example"
	for name, header := range map[string]map[string]string{
		"nothing": {"Origin": evil},
		"cookies": {"Origin": evil, "Cookie": "token=" + victim.token + "; Authorization=Bearer " + victim.token},
		"a form":  {"Origin": evil, "Content-Type": "application/x-www-form-urlencoded"},
		"text":    {"Origin": evil, "Content-Type": "text/plain"},
		"a login": {"Origin": evil, "Authorization": "Basic " + victim.token},
	} {
		if status, answer := s.request(t, method, path, body, header); status != http.StatusUnauthorized && status != http.StatusForbidden {
			t.Errorf("%s %s with %s: %d, want 401: %.200s", method, path, name, status, answer)
		}
	}
	if method != http.MethodPost && method != http.MethodPatch {
		return
	}
	for _, media := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "text/json", ""} {
		status, answer := s.request(t, method, path, body, map[string]string{
			"Authorization": "Bearer " + victim.token, "Content-Type": media,
		})
		if status != http.StatusUnsupportedMediaType {
			t.Errorf("%s %s as %q: %d, want 415: %.200s", method, path, media, status, answer)
		}
	}
}

// snapshot is what a user sees of her rooms, and of one room's history and members.
func (s *stage) snapshot(t *testing.T, who person, room string) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{"/api/v1/chat-rooms", "/api/v1/chat-rooms/" + room + "/messages?afterSeq=0", "/api/v1/chat-rooms/" + room + "/members"} {
		status, answer := s.rest(t, who, http.MethodGet, path, nil)
		text, err := json.Marshal(withoutPresence(answer))
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, status, err)
		}
		all.Write(append(text, '\n'))
	}
	return all.String()
}

// withoutPresence leaves out who is online, which changes by itself.
func withoutPresence(value any) any {
	switch value := value.(type) {
	case map[string]any:
		delete(value, "presence")
		for key, item := range value {
			value[key] = withoutPresence(item)
		}
	case []any:
		for i, item := range value {
			value[i] = withoutPresence(item)
		}
	}
	return value
}
