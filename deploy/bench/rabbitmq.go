package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

// Where Debian's package keeps RabbitMQ's own start script; the one in the path changes to another user.
const rabbitScript = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// Ports of a RabbitMQ, on an address of its own.
const (
	rabbitAMQP  = 5672
	rabbitSTOMP = 61613
	rabbitWeb   = 15674
	rabbitDist  = 25672
	rabbitEPMD  = 4369
)

// rabbit is Debian's RabbitMQ with its Web STOMP plugin, as the package configures it, but for addresses.
type rabbit struct {
	folder string // data and settings, removed by stop
	all    *fleet.Addresses
	epmd   *fleet.Process // Erlang's own name server: one of ours, so that it ends with us
	node   *fleet.Process
}

// startRabbit starts RabbitMQ; it returns when its Web STOMP listens. The caller calls stop.
func startRabbit(ctx context.Context, logs string) (server, error) {
	if _, err := os.Stat(rabbitScript); err != nil {
		return nil, fmt.Errorf("find RabbitMQ: %w (Debian: apt-get install rabbitmq-server)", err)
	}
	folder, err := os.MkdirTemp("", "fliliy-rabbitmq-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for RabbitMQ: %w", err)
	}
	r := &rabbit{folder: folder}
	if err := r.start(ctx, logs); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *rabbit) start(ctx context.Context, logs string) (err error) {
	if r.all, err = fleet.ClaimAddresses(); err != nil {
		return err
	}
	epmd, err := exec.LookPath("epmd")
	if err != nil {
		return fmt.Errorf("find Erlang's epmd: %w", err)
	}
	settings := fmt.Sprintf("listeners.tcp.1 = %s\nstomp.listeners.tcp.1 = %s\nweb_stomp.tcp.ip = %s\nweb_stomp.tcp.port = %d\n",
		r.at(rabbitAMQP), r.at(rabbitSTOMP), r.all.IP(gatewayOctet), rabbitWeb)
	err = errors.Join(
		os.WriteFile(filepath.Join(r.folder, "rabbitmq.conf"), []byte(settings), 0o600),
		os.WriteFile(filepath.Join(r.folder, "plugins"), []byte("[rabbitmq_web_stomp].\n"), 0o600),
	)
	if err != nil {
		return fmt.Errorf("write RabbitMQ's settings: %w", err)
	}
	erlang := []string{fmt.Sprintf("ERL_EPMD_PORT=%d", rabbitEPMD+os.Getpid()%10_000), "ERL_EPMD_ADDRESS=127.0.0.1", "HOME=" + r.folder}
	r.epmd = fleet.NewProcess(logs, "epmd", []string{epmd}, erlang)
	if err := r.epmd.Start(); err != nil {
		return err
	}
	r.node = fleet.NewProcess(logs, "rabbitmq", []string{rabbitScript}, append(erlang,
		fmt.Sprintf("RABBITMQ_NODENAME=bench%d@localhost", os.Getpid()), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", rabbitDist+os.Getpid()%10_000),
		"RABBITMQ_MNESIA_BASE="+r.folder, "RABBITMQ_LOG_BASE="+r.folder,
		"RABBITMQ_CONFIG_FILE="+filepath.Join(r.folder, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(r.folder, "plugins"),
		"RABBITMQ_PID_FILE="+filepath.Join(r.folder, "pid"),
	))
	if err := r.node.Start(); err != nil {
		return err
	}
	gone := r.node.Exited()
	listens := fleet.Poll(ctx, fleet.StartTimeout, func() bool {
		select {
		case <-gone:
			return true
		default:
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.at(rabbitWeb))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	if !listens || !r.node.Alive() {
		return fmt.Errorf("RabbitMQ does not listen on %s:\n%s", r.at(rabbitWeb), r.node.LogEnd())
	}
	return nil
}

func (r *rabbit) at(port int) string { return r.all.At(gatewayOctet, port) }

func (r *rabbit) target() (scenario.Target, error) { return scenario.OpenTarget("rabbitmq") }

func (r *rabbit) servers() []netip.AddrPort {
	return []netip.AddrPort{netip.MustParseAddrPort(r.at(rabbitWeb))}
}

func (r *rabbit) secret() string { return "" }

func (r *rabbit) processes() loadgen.Processes { return loadgen.Processes{"rabbitmq": {r.node.Pid()}} }

func (r *rabbit) profiled() []*fleet.Node { return nil }

func (r *rabbit) stop() error {
	var failed []error
	if r.node != nil {
		failed = append(failed, r.node.Stop())
	}
	if r.epmd != nil {
		r.epmd.Kill()
	}
	if r.all != nil {
		failed = append(failed, r.all.Release())
	}
	return errors.Join(append(failed, os.RemoveAll(r.folder))...)
}
