package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// startTimeout is how long a process may take to be ready, on a busy machine.
const startTimeout = 60 * time.Second

// node is a gateway or a chatsvc replica: a process with an admin server.
type node struct {
	*process
	admin string // host:port
}

var asking = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask reads a path of the admin server.
func (n *node) ask(ctx context.Context, path string, read func(*http.Response) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+path, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", n.name, err)
	}
	response, err := asking.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", n.name, err)
	}
	defer response.Body.Close()
	return read(response)
}

// ready says whether the node calls itself ready.
func (n *node) ready(ctx context.Context) bool {
	err := n.ask(ctx, "/readyz", func(r *http.Response) error {
		if r.StatusCode != http.StatusOK {
			return errors.New(r.Status)
		}
		return nil
	})
	return err == nil
}

// awaitReady returns when the node calls itself ready.
func (n *node) awaitReady(ctx context.Context) error {
	gone := n.exited()
	ended := func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}
	if !poll(ctx, startTimeout, func() bool { return ended() || n.ready(ctx) }) {
		return fmt.Errorf("%s is not ready after %v:\n%s", n.name, startTimeout, n.logEnd())
	}
	if ended() {
		return fmt.Errorf("%s ended instead of becoming ready:\n%s", n.name, n.logEnd())
	}
	return nil
}

// restart starts a node that is down, and waits until it is ready.
func (n *node) restart(ctx context.Context) error {
	if err := n.start(); err != nil {
		return err
	}
	return n.awaitReady(ctx)
}

// metric reads one of the node's metrics; all series of that name are added up.
func (n *node) metric(ctx context.Context, name string) (float64, error) {
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
		err = fmt.Errorf("%s has no metric %s", n.name, name)
	}
	return sum, err
}

// pollEvery is the time between two looks at something that is awaited.
const pollEvery = 20 * time.Millisecond

// poll looks until the condition holds; false when the time is over or the context ends first.
func poll(ctx context.Context, limit time.Duration, condition func() bool) bool {
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

// pause waits; false when the context ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
