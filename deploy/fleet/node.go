package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// StartTimeout is how long a process may take to be ready, on a busy machine.
const StartTimeout = 60 * time.Second

// Node is a gateway or a chatsvc replica: a process with an admin server.
type Node struct {
	*Process
	Admin string // host:port of its admin server
}

var asking = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask reads a path of the admin server.
func (n *Node) ask(ctx context.Context, path string, read func(*http.Response) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Admin+path, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", n.Name, err)
	}
	response, err := asking.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", n.Name, err)
	}
	defer response.Body.Close()
	return read(response)
}

// Ready says whether the node calls itself ready.
func (n *Node) Ready(ctx context.Context) bool {
	err := n.ask(ctx, "/readyz", func(r *http.Response) error {
		if r.StatusCode != http.StatusOK {
			return errors.New(r.Status)
		}
		return nil
	})
	return err == nil
}

// Degraded says whether the node reports that it misses something it can do without.
func (n *Node) Degraded(ctx context.Context) bool {
	var report struct {
		Degraded []struct{} `json:"degraded"`
	}
	err := n.ask(ctx, "/readyz", func(r *http.Response) error { return json.NewDecoder(r.Body).Decode(&report) })
	return err == nil && len(report.Degraded) > 0
}

// AwaitReady returns when the node calls itself ready.
func (n *Node) AwaitReady(ctx context.Context) error {
	gone := n.Exited()
	ended := func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}
	if !Poll(ctx, StartTimeout, func() bool { return ended() || n.Ready(ctx) }) {
		return fmt.Errorf("%s is not ready after %v:\n%s", n.Name, StartTimeout, n.LogEnd())
	}
	if ended() {
		return fmt.Errorf("%s ended instead of becoming ready:\n%s", n.Name, n.LogEnd())
	}
	return nil
}

// Restart starts a node that is down, and waits until it is ready.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Start(); err != nil {
		return err
	}
	return n.AwaitReady(ctx)
}

// Metric reads one of the node's metrics; all series of that name are added up.
func (n *Node) Metric(ctx context.Context, name string) (float64, error) {
	sum, found := 0.0, false
	err := n.ask(ctx, "/metrics", func(r *http.Response) error {
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			series, value, _ := strings.Cut(lines.Text(), " ")
			if bare, _, _ := strings.Cut(series, "{"); bare != name {
				continue
			}
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return fmt.Errorf("read metric %s: %w", name, err)
			}
			sum, found = sum+number, true
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%s has no metric %s", n.Name, name)
	}
	return sum, err
}

// pollEvery is the time between two looks at something that is awaited.
const pollEvery = 20 * time.Millisecond

// Poll looks until the condition holds; false when the time is over or the context ends first.
func Poll(ctx context.Context, limit time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
