package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"syscall"
	"testing"
)

// TestSDKSurvivesItsGateways has three people in a room while each of their gateways is killed, and one leaves as in an
// upgrade: nobody misses a message or sees one twice or out of order, and each that was sent is stored once.
func TestSDKSurvivesItsGateways(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		needSDK(t)
		const each = 250
		nodes := s.gateways(t)
		urls := []string{nodes[0].url(), nodes[1].url()}
		p := s.people(t, "alice", "bob", "carol")
		room := s.room(t, p[0], p[1], p[2])
		other := []string{urls[1], urls[0]}
		again := func(node *gatewayProcess) {
			if err := node.Restart(t.Context()); err != nil {
				t.Error(err)
			}
		}
		talkers := startPeople(t, map[string]any{"room": room, "messages": each, "people": []map[string]any{
			{"servers": urls, "token": p[0].token, "talks": true},
			{"servers": other, "token": p[1].token, "talks": true},
			{"servers": urls, "token": p[2].token, "talks": false},
		}})
		talkers.await(t, each/2)
		nodes[0].Kill()
		again(nodes[0])
		talkers.await(t, each)
		nodes[1].Kill()
		again(nodes[1])
		talkers.await(t, each*3/2)
		if err := nodes[0].Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		ledger := talkers.ledger(t)

		truth := append(s.messages(t, p[0], room, "0"), s.messages(t, p[0], room, "1000")...)
		if len(truth) != 2*each {
			t.Errorf("%d messages are stored, want each of %d once", len(truth), 2*each)
		}
		for i := range ledger {
			ledger[i].sameAs(t, p[i].id, truth)
			if len(ledger[i].Nodes) < 2 {
				t.Errorf("%s was connected to %v only: nothing was survived", p[i].id, ledger[i].Nodes)
			}
			ledger[i].holdsReceipts(t, p[i].id, truth)
		}
	})
}

// holdsReceipts wants every answer to a send to name the message that is stored.
func (d *diary) holdsReceipts(t *testing.T, who string, truth []message) {
	t.Helper()
	for _, stored := range d.Stored {
		if at := int(stored.Seq) - 1; at < 0 || at >= len(truth) || truth[at].MessageID != stored.MessageID ||
			truth[at].Content != stored.Content || truth[at].SenderID != who {
			t.Errorf("%s was told that %q is stored as %v, which the history does not say", who, stored.Content, stored.Seq)
		}
	}
	for _, fault := range d.Errors {
		t.Errorf("%s was told of %s", who, fault)
	}
}

// people is the script talk.mjs as it runs.
type people struct {
	lines  *bufio.Scanner
	stored int
	stderr bytes.Buffer
}

func startPeople(t *testing.T, orders map[string]any) *people {
	t.Helper()
	encoded, err := json.Marshal(orders)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	node := exec.CommandContext(ctx, "node", "test/stack/talk.mjs")
	node.Dir, node.Stdin = sdk, bytes.NewReader(encoded)
	c := &people{}
	node.Stderr = &c.stderr
	out, in := io.Pipe()
	node.Stdout = in
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = in.CloseWithError(node.Wait()) // nil: end of file
	}()
	t.Cleanup(func() { cancel(); _ = out.Close(); <-ended })
	c.lines = bufio.NewScanner(out)
	c.lines.Buffer(nil, 16<<20)
	return c
}

// next reads a line of the script.
func (c *people) next(t *testing.T) (ledger []diary) {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the script ended early, after %d messages: %v\n%s", c.stored, c.lines.Err(), c.stderr.Bytes())
	}
	var line struct {
		Stored int
		Ledger []diary
	}
	if err := json.Unmarshal(c.lines.Bytes(), &line); err != nil {
		t.Fatalf("the script printed %q: %v", c.lines.Bytes(), err)
	}
	c.stored = max(c.stored, line.Stored)
	return line.Ledger
}

// await returns once so many messages are stored.
func (c *people) await(t *testing.T, stored int) {
	t.Helper()
	for c.stored < stored {
		c.next(t)
	}
}

// ledger returns what everybody saw, at the end.
func (c *people) ledger(t *testing.T) []diary {
	t.Helper()
	for {
		if ledger := c.next(t); ledger != nil {
			return ledger
		}
	}
}
