package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

// profiler takes CPU profiles of nodes, one each, since a process can make one at a time: while the load is measured,
// or, where there is none, while everybody connects; and heap profiles at the end.
type profiler struct {
	folder string
	prefix string
	nodes  []*fleet.Node
	row    *Row
	taking sync.WaitGroup

	mu     sync.Mutex
	failed []error
}

// phase is for loadgen.Options.OnPhase.
func (p *profiler) phase(ctx context.Context) func(loadgen.Phase) {
	loaded := p.row.Scenario.Load.Closed != scenario.Never || p.row.Scenario.Load.Rate > 0
	return func(phase loadgen.Phase) {
		switch {
		case phase == loadgen.Connecting && !loaded:
			p.take(ctx, "connecting", fmt.Sprintf("profile?seconds=%d", connectSeconds))
		case phase == loadgen.Measuring && loaded:
			p.take(ctx, "load", fmt.Sprintf("profile?seconds=%d", max(1, int(p.row.Scenario.Duration.Seconds()))))
		case phase == loadgen.Settling:
			p.take(ctx, "heap", "heap?gc=1")
		}
	}
}

// connectSeconds is how much of the time until all are live a profile covers.
const connectSeconds = 2

// take reads a profile of every node into a file, in the background.
func (p *profiler) take(ctx context.Context, kind, path string) {
	for _, n := range p.nodes {
		p.taking.Go(func() {
			if err := p.read(ctx, n, kind, path); err != nil {
				p.mu.Lock()
				p.failed = append(p.failed, fmt.Errorf("take the %s profile of %s: %w", kind, n.Name, err))
				p.mu.Unlock()
			}
		})
	}
}

func (p *profiler) read(ctx context.Context, n *fleet.Node, kind, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Admin+"/debug/pprof/"+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	file, err := os.Create(filepath.Join(p.folder, p.prefix+"-"+n.Name+"-"+kind+".pprof")) //nolint:gosec // G304: the caller's folder
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}

// wait waits until all profiles are taken.
func (p *profiler) wait() error {
	p.taking.Wait()
	return errors.Join(p.failed...)
}
