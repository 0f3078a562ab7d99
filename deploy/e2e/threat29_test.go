package e2e_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// markupView is what interop/markup.mjs prints of a page.
type markupView struct {
	pageView
	Title, Row       string
	Active, Handlers []string // elements that could do something
	Loose            []string // texts whose direction reaches what stands beside them
	Ran              any      // what a script of a user has left behind
}

// TestThreat29 writes markup into everything that users can write, and wants the test page to show it as the text it is,
// in a real browser, under its policy.
func TestThreat29(t *testing.T) {
	t.Parallel()
	s := stages[0]
	p := s.people(t, `<img src=x onerror="ran=1">`, "bob", "carol")
	name := "\u202e<script>ran=2</script><b>bargain</b>"
	status, answer := s.rest(t, p[0], http.MethodPost, "/api/v1/chat-rooms",
		map[string]any{"memberIds": []string{p[1].id, p[2].id}, "name": name})
	room, _ := answer["chatRoomId"].(string)
	if status != http.StatusCreated {
		t.Fatalf("create a room: status %d, answer %v", status, answer)
	}
	lines := []string{
		`<img src=x onerror="ran=3">`,
		`"><script>ran=4</script>`,
		`<svg/onload=ran=5>`,
		`<a href="javascript:ran=6">click</a>`,
		`javascript:ran=7`,
		`</p></div><iframe srcdoc="<script>parent.ran=8</script>"></iframe>`,
		"pay \u202e001 \u2066and\u2069 \u202dmore\u202c",
		"<b>80 €</b> &amp; no less",
		"{{constructor.constructor('ran=9')()}}",
	}
	addresses := []string{"javascript:ran=10", `data:text/html,<script>parent.ran=11</script>`, `"><img src=x onerror=ran=12>`}
	link := func(who person, gateway int) string {
		asked := url.Values{"token": {who.token}, "room": {room}}
		return s.httpURL(gateway) + "/#" + asked.Encode()
	}
	var got struct{ Alice, Bob markupView }
	runNode(t, "markup.mjs", map[string]any{
		"browser": browser(t), "patience": patience.Milliseconds(), "pictures": t.ArtifactDir(),
		"alice": link(p[0], 0), "bob": link(p[1], 1), "lines": lines, "addresses": addresses,
	}, &got)
	for who, view := range map[string]*markupView{"alice": &got.Alice, "bob": &got.Bob} {
		var texts, shownAddresses []string
		for i, message := range view.Messages {
			texts = append(texts, message.Text)
			if i >= len(lines) {
				shownAddresses = append(shownAddresses, message.Address)
			}
		}
		want := append(append([]string{}, lines...), addresses...)
		if diff := cmp.Diff(want, texts); diff != "" {
			t.Errorf("%s does not see what was written (-want +got):\n%s", who, diff)
		}
		if diff := cmp.Diff(addresses, shownAddresses); diff != "" {
			t.Errorf("%s sees other addresses (-want +got):\n%s", who, diff)
		}
		if view.Title != name || view.Row != name {
			t.Errorf("%s sees the room's name as %q and %q, want %q", who, view.Title, view.Row, name)
		}
		if len(view.Active)+len(view.Handlers) > 0 || view.Ran != nil {
			t.Errorf("%s: active elements %q, handlers %q, a script left %v", who, view.Active, view.Handlers, view.Ran)
		}
		if len(view.Loose) > 0 {
			t.Errorf("%s: the direction of these reaches beyond them: %q", who, view.Loose)
		}
		checkSound(t, who, &view.pageView)
	}
}
