package bench

import (
	"context"
	"net/netip"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

// rabbit is a RabbitMQ as a server that is measured.
type rabbit struct{ *fleet.Rabbit }

func startRabbit(ctx context.Context, logs string) (server, error) {
	r, err := fleet.StartRabbit(ctx, logs)
	if err != nil {
		return nil, err
	}
	return rabbit{r}, nil
}

func (rabbit) target() (scenario.Target, error) { return scenario.OpenTarget("rabbitmq") }

func (r rabbit) servers() []netip.AddrPort { return []netip.AddrPort{r.Web()} }

func (rabbit) secret() string { return "" }

func (r rabbit) processes() loadgen.Processes { return loadgen.Processes{"rabbitmq": {r.Pid()}} }

func (rabbit) profiled() []*fleet.Node { return nil }

func (r rabbit) stop() error { return r.Stop() }
