package e2e_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pageReport is what interop/page.mjs prints.
type pageReport struct {
	Room                 string
	Alice, Bob, Outsider pageView
	AliceAgain, BobAgain pageView
}

// pageView is one person's page: what it shows, and every sign that something is wrong with it.
type pageView struct {
	Room, State, Notice, Frames string
	Messages                    []shown
	Elements                    []string // the kinds of elements that messages are made of
	SticksOut                   []string // elements wider than the window
	Problems                    []string // console errors, dialogs, policy violations, failed requests
}

type shown struct {
	Text string
	Mine bool
	Meta string
}

// TestPage has two people use the embedded test page in a real browser, on two gateways, as the README says, and a
// third try to listen in. `go test -artifacts` keeps pictures of the pages.
func TestPage(t *testing.T) {
	t.Parallel()
	s := stages[0] // the page does not know what a stage stands on
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: `make setup` installs it", err)
	}
	p := s.people(t, "alice", "bob", "carol")
	names := map[string]string{"alice": p[0].id, "bob": p[1].id}
	links := readmeLinks(t, s, names)
	user := func(i, gateway int) map[string]string {
		return map[string]string{"user": p[i].id, "page": s.httpURL(gateway) + "/", "link": links[gateway]}
	}
	lines := []string{
		"is the bicycle still there?",
		"<img src=x onerror=alert(1)>",
		`"><script>alert(2)</script>`,
		"在的 🚲 <b>80 €</b> &amp; no less",
		"https://example.com/" + strings.Repeat("a-path-that-does-not-fit", 20),
	}
	var report pageReport
	runNode(t, "page.mjs", map[string]any{
		"browser": browser, "patience": patience.Milliseconds(), "pictures": t.ArtifactDir(), "lines": lines,
		"alice": user(0, 0), "bob": user(1, 1), "outsider": user(2, 0),
	}, &report)

	checkConversation(t, "alice", &report.Alice, lines, 0)
	checkConversation(t, "bob", &report.Bob, lines, 1)
	checkConversation(t, "alice again, by the README's link", &report.AliceAgain, lines, 0)
	checkConversation(t, "bob again, by the README's link", &report.BobAgain, lines, 1)
	checkLive(t, &report.Alice, p[0])
	checkLive(t, &report.Bob, p[1])
	checkRefused(t, &report.Outsider, report.Room)
	for who, again := range map[string]pageView{"alice": report.AliceAgain, "bob": report.BobAgain} {
		if again.Room != report.Room {
			t.Errorf("the README's link leads %s to room %q, want %q", who, again.Room, report.Room)
		}
	}
}

// checkConversation holds a page against the lines that alice (0) and bob (1) wrote in turn.
func checkConversation(t *testing.T, who string, got *pageView, lines []string, me int) {
	t.Helper()
	if len(got.Messages) != len(lines) {
		t.Fatalf("%s sees %d messages, want %d: %+v", who, len(got.Messages), len(lines), got.Messages)
	}
	for i, line := range lines {
		if m := got.Messages[i]; m.Text != line || m.Mine != (i%2 == me) {
			t.Errorf("%s sees as message %d %q (own: %v), want the text %q as it was typed", who, i+1, m.Text, m.Mine, line)
		}
	}
	if diff := cmp.Diff([]string{"li", "span"}, got.Elements); diff != "" {
		t.Errorf("%s: messages are made of other elements than the page's own (-want +got):\n%s", who, diff)
	}
	if len(got.Problems)+len(got.SticksOut) > 0 {
		t.Errorf("%s: problems %q, wider than the window: %q", who, got.Problems, got.SticksOut)
	}
}

// checkLive holds the state line and the frame log against a session that is up.
func checkLive(t *testing.T, got *pageView, who person) {
	t.Helper()
	if want := "connected as " + who.id; got.State != want {
		t.Errorf("state = %q, want %q", got.State, want)
	}
	for _, frame := range []string{"→ CONNECT", "← CONNECTED", "→ SUBSCRIBE", "→ SEND", "← RECEIPT", "← MESSAGE"} {
		if !strings.Contains(got.Frames, frame) {
			t.Errorf("%s's frame log does not show %q:\n%s", who.id, frame, got.Frames)
		}
	}
	if strings.Contains(got.Frames, "eyJ") {
		t.Errorf("%s's frame log shows a token:\n%s", who.id, got.Frames)
	}
}

// checkRefused wants words on the page; the browser's own line about the 403 is all that the console may hold.
func checkRefused(t *testing.T, got *pageView, room string) {
	t.Helper()
	if !strings.Contains(got.Notice, "room "+room) || !strings.Contains(got.Notice, "not a member") {
		t.Errorf("the outsider is told %q, want that room %s is not theirs", got.Notice, room)
	}
	if got.State != "not connected" || len(got.Messages) > 0 {
		t.Errorf("the outsider's page is %q and shows %+v", got.State, got.Messages)
	}
	if len(got.Problems) != 1 || !strings.Contains(got.Problems[0], "403") || len(got.SticksOut) > 0 {
		t.Errorf("problems %q, wider than the window: %q; want the 403 and nothing else", got.Problems, got.SticksOut)
	}
}
