package e2e_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pageReport is what interop/page.mjs prints.
type pageReport struct {
	Room, Read, Typing   string
	Filters              frameFilters
	Languages            struct{ English, Chinese, Again words }
	Alice, Bob, Outsider pageView
	Corners              pageLook
	AliceAgain, BobAgain pageView
}

// words are some of the page's texts in the language it speaks.
type words struct{ Lang, Rooms, State, Hint string }

// frameFilters are the frames that the log shows, "→ SEND" and so on: all, and narrowed down further and further.
type frameFilters struct {
	All, Out, Sends, One []string
	Content              []string // of One
	Text                 string   // of all
}

// pageLook is what is wrong with the looks of a page, in every size and colour scheme.
type pageLook struct {
	SticksOut    []string // elements wider than the window
	Inaccessible []string // serious and critical faults, by axe-core
}

// pageView is one person's page: what it shows, and every sign that something is wrong with it.
type pageView struct {
	pageLook
	Room, State, About, Row, Notice string
	Messages                        []shown
	Lines                           []string // what is no message
	Elements                        []string // the kinds of elements that the conversation is made of
	Problems                        []string // console errors, dialogs, policy violations, failed requests
}

type shown struct {
	Seq           int
	Text, Address string
	Mine          bool
	Ticks         string
	Edited        bool
}

// ownElements are all that the page makes of a conversation: nothing that a user wrote may become another one.
var ownElements = []string{
	"b", "bdi", "button", "div", "li", "p", "path", "circle", "rect", "span", "svg", "time", "use",
}

// browser is the chromium of Debian.
func browser(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: `make setup` installs it", err)
	}
	return path
}

// TestPage has two people use the embedded test page in a real browser, on two gateways, as the README says, and a
// third try to listen in. `go test -artifacts` keeps pictures of the pages in both sizes and colour schemes.
func TestPage(t *testing.T) {
	t.Parallel()
	s := stages[0] // the page does not know what a stage stands on
	p := s.people(t, "alice", "bob", "carol")
	links := readmeLinks(t, s, map[string]string{"alice": p[0].id, "bob": p[1].id})
	user := func(i, gateway int) map[string]string {
		return map[string]string{"user": p[i].id, "page": s.httpURL(gateway) + "/", "link": links[gateway]}
	}
	lines := []string{
		"is the bicycle still there?", "在的，80 欧。明天下午可以来看。", "Then I take it.\nAt five?",
		"https://example.com/" + strings.Repeat("a-path-that-does-not-fit", 20), "perfect :)",
	}
	var got pageReport
	runNode(t, "page.mjs", map[string]any{
		"browser": browser(t), "patience": patience.Milliseconds(), "pictures": t.ArtifactDir(), "lines": lines,
		"alice": user(0, 0), "bob": user(1, 1), "outsider": user(2, 0),
	}, &got)

	for who, view := range map[string]*pageView{
		"alice": &got.Alice, "bob": &got.Bob, "alice again": &got.AliceAgain, "bob again": &got.BobAgain,
	} {
		me := 0
		if strings.HasPrefix(who, "bob") {
			me = 1
		}
		checkConversation(t, who, view, lines, me)
	}
	if got.Read != "Read" {
		t.Errorf("the ticks of a message that was read say %q", got.Read)
	}
	if want := p[1].id + " is typing…"; got.Typing != want {
		t.Errorf("while bob types alice's page says %q, want %q", got.Typing, want)
	}
	checkFilters(t, &got.Filters, lines[len(lines)-1])
	checkLanguages(t, &got, p[0])
	if row := got.Alice.Row; !strings.Contains(row, p[1].id) || !strings.Contains(row, "see you at five") {
		t.Errorf("alice's list of rooms has %q, want bob and the last message as edited", row)
	}
	if got.Alice.About != "online" || got.Bob.About != "online" {
		t.Errorf("bob is %q to alice, alice is %q to bob, want both online", got.Alice.About, got.Bob.About)
	}
	checkRefused(t, &got.Outsider, got.Room)
	if len(got.Corners.SticksOut)+len(got.Corners.Inaccessible) > 0 {
		t.Errorf("further parts of the page: wider than the window: %q, inaccessible: %q", got.Corners.SticksOut, got.Corners.Inaccessible)
	}
	for who, again := range map[string]pageView{"alice": got.AliceAgain, "bob": got.BobAgain} {
		if again.Room != got.Room {
			t.Errorf("the README's link leads %s to room %q, want %q", who, again.Room, got.Room)
		}
	}
}

// checkConversation holds a page against the lines that alice (0) and bob (1) wrote in turn, and the two messages of
// alice after them: one was taken back, one edited.
func checkConversation(t *testing.T, who string, got *pageView, lines []string, me int) {
	t.Helper()
	want := make([]shown, 0, len(lines)+1)
	for i, line := range lines {
		want = append(want, shown{Seq: i + 1, Text: line, Mine: i%2 == me})
	}
	want = append(want, shown{Seq: len(lines) + 2, Text: "see you at five", Mine: me == 0, Edited: true})
	for i := range want {
		if want[i].Mine {
			want[i].Ticks = "read"
		}
	}
	if diff := cmp.Diff(want, got.Messages); diff != "" {
		t.Errorf("%s sees other messages (-want +got):\n%s", who, diff)
	}
	if len(got.Lines) != 1 || !strings.Contains(got.Lines[0], "took back a message") {
		t.Errorf("%s sees the lines %q, want the message that was taken back", who, got.Lines)
	}
	checkSound(t, who, got)
}

// checkSound wants a page that has nothing in it but what it makes itself, and no fault.
func checkSound(t *testing.T, who string, got *pageView) {
	t.Helper()
	for _, element := range got.Elements {
		if !slices.Contains(ownElements, element) {
			t.Errorf("%s: the conversation has a <%s>, which the page does not make", who, element)
		}
	}
	if len(got.Problems) > 0 {
		t.Errorf("%s: problems: %q", who, got.Problems)
	}
	if len(got.SticksOut) > 0 {
		t.Errorf("%s: wider than the window: %q", who, got.SticksOut)
	}
	if len(got.Inaccessible) > 0 {
		t.Errorf("%s: accessibility: %s", who, strings.Join(got.Inaccessible, "\n"))
	}
}

// checkFilters holds the frame log against a session that is up, and each filter against what it should leave.
func checkFilters(t *testing.T, got *frameFilters, line string) {
	t.Helper()
	for _, frame := range []string{"→ CONNECT", "← CONNECTED", "→ SUBSCRIBE", "→ SEND", "← RECEIPT", "← MESSAGE"} {
		if !slices.Contains(got.All, frame) {
			t.Errorf("the frame log does not show %q: %q", frame, got.All)
		}
	}
	incoming := func(frame string) bool { return !strings.HasPrefix(frame, "→ ") }
	if len(got.Out) == 0 || slices.ContainsFunc(got.Out, incoming) {
		t.Errorf("of what goes out the log shows %q", got.Out)
	}
	other := func(frame string) bool { return frame != "→ SEND" }
	if len(got.Sends) == 0 || len(got.Sends) >= len(got.Out) || slices.ContainsFunc(got.Sends, other) {
		t.Errorf("of SENDs that go out the log shows %q", got.Sends)
	}
	if len(got.One) != 1 || len(got.Content) != 1 || !strings.Contains(got.Content[0], line) {
		t.Errorf("of SENDs with %q the log shows %q", line, got.Content)
	}
	if strings.Contains(got.Text, "eyJ") {
		t.Errorf("the frame log shows a token:\n%s", got.Text)
	}
}

func checkLanguages(t *testing.T, got *pageReport, who person) {
	t.Helper()
	english := words{"en", "Rooms", "Connected as " + who.id, "Write a message"}
	chinese := words{"zh-CN", "聊天室", "已连接：" + who.id, "输入消息"}
	if diff := cmp.Diff([]words{english, chinese, english},
		[]words{got.Languages.English, got.Languages.Chinese, got.Languages.Again}); diff != "" {
		t.Errorf("the page in English, Chinese, and English again (-want +got):\n%s", diff)
	}
}

// checkRefused wants words on the page; the browser's own lines about the 403s are all that the console may hold.
func checkRefused(t *testing.T, got *pageView, room string) {
	t.Helper()
	if !strings.Contains(got.Notice, "room "+room) || !strings.Contains(got.Notice, "not a member") {
		t.Errorf("the outsider is told %q, want that room %s is not theirs", got.Notice, room)
	}
	if len(got.Messages)+len(got.Lines) > 0 {
		t.Errorf("the outsider's page shows %+v", got.Messages)
	}
	for _, problem := range got.Problems {
		if !strings.Contains(problem, "403") {
			t.Errorf("the outsider's page has the problem %q", problem)
		}
	}
}
