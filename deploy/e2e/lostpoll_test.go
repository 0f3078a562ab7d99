package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fliliy/chat/deploy/allinone"
	"github.com/fliliy/chat/deploy/fleet"
)

// TestLostPoll: the answer to a poll gets lost on its way, and what it held with it, for SockJS sends nothing twice. The
// client sees the hole in the numbers, starts over and resumes from what it has: everything is there once. Of the
// sessions that nobody asks for any more nothing is left a little later.
func TestLostPoll(t *testing.T) {
	t.Parallel()
	s := &stage{name: "alone"} // so that its counts are this test's
	var err error
	if s.stack, err = allinone.Start(t.Context(), options(t.TempDir())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { report(s.stack.Stop()) })
	p := s.people(t, "alice", "bob")
	alice, bob := p[0], p[1]
	room := s.room(t, alice, bob)
	talker, said := login(t, s.wsURL(0), bob), 0
	say := func() {
		talker.send("SEND\ndestination:/app/chat/" + room + "/send\ncontent-type:text/plain\nreceipt:r\n\nhello\x00")
		talker.expect("RECEIPT")
		said++
	}

	polling := openPolling(t, s, alice, room, "")
	say()
	polling.until(said)
	have := said
	for have == said { // an answer may hold something else, which is not missed
		lose := polling.beginPoll()
		say()
		lose()
		say()
		have = unbroken(polling.until(said))
	}
	again := openPolling(t, s, alice, room, fmt.Sprintf("last-seq:%d\n", have))
	say()
	if got := again.until(said); got[0] != have+1 || have+unbroken(got) != said {
		t.Errorf("after the resume from %d came %v, want all to %d", have, got, said)
	}
	if sockets, sessions := s.metric(t, "fliliy_gateway_connections"), s.metric(t, "fliliy_gateway_sockjs_sessions"); sockets < 2 || sessions < 1 {
		t.Errorf("%v connections and %v SockJS sessions are counted, want both people's", sockets, sessions)
	}
	eventually(t, "nothing is left of sessions that nobody asks for", func() bool {
		return s.metric(t, "fliliy_gateway_sockjs_sessions") == 0 && s.metric(t, "fliliy_gateway_connections") == 1
	})
	if got := s.history(t, alice, room); len(got) != said {
		t.Errorf("the history holds %d events, want %d", len(got), said)
	}
}

// unbroken is how many of the numbers follow on each other from the first one on.
func unbroken(seqs []int) int {
	n := 1
	for n < len(seqs) && seqs[n] == seqs[0]+n {
		n++
	}
	return n
}

// metric adds a gauge or counter of all gateways up.
func (s *stage) metric(t *testing.T, name string) (total float64) {
	t.Helper()
	for _, gateway := range s.stack.Gateways {
		node := fleet.Node{Admin: gateway.AdminAddr()}
		n, err := node.Metric(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// polling is a member of a room who polls, in hand: one request goes to one gateway, the next to the other.
type polling struct {
	t     *testing.T
	hosts []string
	path  string // of its session
	turn  int
	seqs  []int // of the messages that have come
}

// openPolling opens a session and subscribes the room; resume is a header line of SUBSCRIBE.
func openPolling(t *testing.T, s *stage, who person, room, resume string) *polling {
	t.Helper()
	p := &polling{t: t, path: fmt.Sprintf("/ws/000/%d", time.Now().UnixNano())}
	for _, gateway := range s.stack.Gateways {
		p.hosts = append(p.hosts, gateway.Addr())
	}
	p.poll()
	p.send("CONNECT\naccept-version:1.2\nhost:chat\ntoken:" + who.token + "\n\n\x00")
	p.send("SUBSCRIBE\nid:1\ndestination:/topic/chat/" + room + "\nreceipt:live\n" + resume + "\n\x00")
	for !slices.Contains(p.poll(), "RECEIPT") {
		continue
	}
	return p
}

func (p *polling) host() string {
	p.turn++
	return p.hosts[p.turn%len(p.hosts)]
}

// post makes a request and returns the body of its answer.
func (p *polling) post(way, body string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.host()+p.path+way, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatalf("%s: %v", way, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= http.StatusMultipleChoices {
		p.t.Fatalf("%s: %d %q, %v", way, response.StatusCode, answer, err)
	}
	return string(answer)
}

func (p *polling) send(frame string) {
	p.t.Helper()
	body, err := json.Marshal([]string{frame})
	if err != nil {
		p.t.Fatal(err)
	}
	p.post("/xhr_send", string(body))
}

// poll polls once, keeps the numbers of messages and returns the commands of all frames that came.
func (p *polling) poll() (commands []string) {
	p.t.Helper()
	var all []string
	answer := p.post("/xhr", "")
	if answer[0] == 'a' {
		if err := json.Unmarshal([]byte(answer[1:]), &all); err != nil {
			p.t.Fatalf("%q: %v", answer, err)
		}
	}
	for _, one := range all {
		f, err := frame.NewReader(bytes.NewBufferString(one)).Read()
		if err != nil {
			p.t.Fatalf("%q: %v", one, err)
		}
		if f == nil {
			continue // a heart-beat
		}
		commands = append(commands, f.Command)
		if seq, err := strconv.Atoi(f.Header.Get("seq")); err == nil && f.Command == "MESSAGE" {
			p.seqs = append(p.seqs, seq)
		}
	}
	return commands
}

// until polls until message seq has come, and returns the numbers of all that have.
func (p *polling) until(seq int) []int {
	p.t.Helper()
	for !slices.Contains(p.seqs, seq) {
		p.poll()
	}
	return p.seqs
}

// beginPoll sends a poll. What it returns loses the answer once it has come: the rest of it is never read.
func (p *polling) beginPoll() (lose func()) {
	p.t.Helper()
	host := p.host()
	connection, err := net.Dial("tcp", host)
	if err != nil {
		p.t.Fatal(err)
	}
	request := "POST " + p.path + "/xhr HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0\r\n\r\n"
	if _, err := io.WriteString(connection, request); err != nil {
		p.t.Fatal(err)
	}
	return func() {
		if _, err := connection.Read(make([]byte, 1)); err != nil {
			p.t.Errorf("the poll is not answered: %v", err)
		}
		_ = connection.Close()
	}
}
