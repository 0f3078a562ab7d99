package e2e_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestPageSurvivesItsGateway has two people chat on the test page while the gateway of one is killed: she goes on by the
// other, and both see every message once, in the order of the history, what was written meanwhile too.
func TestPageSurvivesItsGateway(t *testing.T) {
	t.Parallel()
	s := stages[1]
	const each = 5
	nodes := s.gateways(t)
	urls := []string{nodes[0].url(), nodes[1].url()}
	p := s.people(t, "alice", "bob")
	room := s.room(t, p[0], p[1])
	link := func(who person, servers ...string) string {
		asked := url.Values{"server": {strings.Join(servers, ",")}, "token": {who.token}, "room": {room}}
		return servers[0] + "/#" + asked.Encode()
	}
	var got struct {
		Nodes      []string // alice's servers, before and after
		Reconnects string
		Alice, Bob pageView
		Uncaught   []string
	}
	runNode(t, "killed.mjs", map[string]any{
		"browser": browser(t), "patience": patience.Milliseconds(), "pictures": t.ArtifactDir(), "each": each,
		"alice": link(p[0], urls[0], urls[1]), "bob": link(p[1], urls[1], urls[0]), "pid": nodes[0].Pid(),
	}, &got)
	if nodes[0].Alive() {
		t.Fatal("alice's gateway was not killed")
	}
	for i, server := range got.Nodes {
		if "http://"+server != urls[i] {
			t.Errorf("alice was on %v, want %v", got.Nodes, urls)
		}
	}
	if got.Reconnects != "1" {
		t.Errorf("alice's page counts %s reconnects, want 1", got.Reconnects)
	}
	history := s.history(t, p[0], room)
	if len(history) != 4*each {
		t.Errorf("%d messages are stored, want each of %d once", len(history), 4*each)
	}
	for who, view := range map[string]pageView{p[0].id: got.Alice, p[1].id: got.Bob} {
		if len(view.Messages) != len(history) {
			t.Errorf("%s sees %d messages of %d: %+v", who, len(view.Messages), len(history), view.Messages)
			continue
		}
		for i, message := range view.Messages {
			stored := history[i].(map[string]any)
			if message.Text != stored["content"] || message.Mine != (stored["senderId"] == who) {
				t.Errorf("%s sees as message %d %q, stored is %q of %s", who, i+1, message.Text, stored["content"], stored["senderId"])
			}
		}
	}
	if len(got.Uncaught) > 0 {
		t.Errorf("uncaught: %q", got.Uncaught)
	}
}
