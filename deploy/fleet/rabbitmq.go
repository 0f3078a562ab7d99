package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
)

// Where Debian's package keeps RabbitMQ's own start script; the one in the path changes to another user.
const rabbitScript = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// Ports of a RabbitMQ, on an address of its own.
const (
	rabbitOctet = 10
	rabbitAMQP  = 5672
	rabbitSTOMP = 61613
	rabbitWeb   = 15674
	rabbitDist  = 25672
	rabbitEPMD  = 4369
)

// Rabbit is Debian's RabbitMQ with its Web STOMP plugin, as the package configures it, but for addresses: the broker
// that ours is measured beside and held against.
type Rabbit struct {
	folder string // data and settings, removed by Stop
	all    *Addresses
	epmd   *Process // Erlang's own name server: one of ours, so that it ends with us
	node   *Process
}

// StartRabbit starts a RabbitMQ that writes its logs to a folder; it returns when its Web STOMP listens. The caller
// calls Stop.
func StartRabbit(ctx context.Context, logs string) (*Rabbit, error) {
	if _, err := os.Stat(rabbitScript); err != nil {
		return nil, fmt.Errorf("find RabbitMQ: %w (Debian: apt-get install rabbitmq-server)", err)
	}
	folder, err := os.MkdirTemp("", "fliliy-rabbitmq-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for RabbitMQ: %w", err)
	}
	r := &Rabbit{folder: folder}
	if err := r.start(ctx, logs); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

func (r *Rabbit) start(ctx context.Context, logs string) (err error) {
	if r.all, err = ClaimAddresses(); err != nil {
		return err
	}
	epmd, err := exec.LookPath("epmd")
	if err != nil {
		return fmt.Errorf("find Erlang's epmd: %w", err)
	}
	if err := r.configure(); err != nil {
		return err
	}
	erlang := []string{fmt.Sprintf("ERL_EPMD_PORT=%d", rabbitEPMD+os.Getpid()%10_000), "ERL_EPMD_ADDRESS=127.0.0.1", "HOME=" + r.folder}
	r.epmd = NewProcess(logs, "epmd", []string{epmd}, erlang)
	if err := r.epmd.Start(); err != nil {
		return err
	}
	r.node = NewProcess(logs, "rabbitmq", []string{rabbitScript}, append(erlang,
		fmt.Sprintf("RABBITMQ_NODENAME=fleet%d@localhost", os.Getpid()), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", rabbitDist+os.Getpid()%10_000),
		"RABBITMQ_MNESIA_BASE="+r.folder, "RABBITMQ_LOG_BASE="+r.folder,
		"RABBITMQ_CONFIG_FILE="+filepath.Join(r.folder, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(r.folder, "plugins"),
		"RABBITMQ_PID_FILE="+filepath.Join(r.folder, "pid"),
	))
	if err := r.node.Start(); err != nil {
		return err
	}
	return r.await(ctx)
}

// configure writes the settings: all of Debian's, but on addresses of its own.
func (r *Rabbit) configure() error {
	settings := fmt.Sprintf("listeners.tcp.1 = %s\nstomp.listeners.tcp.1 = %s\nweb_stomp.tcp.ip = %s\nweb_stomp.tcp.port = %d\n",
		r.at(rabbitAMQP), r.at(rabbitSTOMP), r.all.IP(rabbitOctet), rabbitWeb)
	err := errors.Join(
		os.WriteFile(filepath.Join(r.folder, "rabbitmq.conf"), []byte(settings), 0o600),
		os.WriteFile(filepath.Join(r.folder, "plugins"), []byte("[rabbitmq_web_stomp].\n"), 0o600),
	)
	if err != nil {
		return fmt.Errorf("write RabbitMQ's settings: %w", err)
	}
	return nil
}

// await returns when Web STOMP listens.
func (r *Rabbit) await(ctx context.Context) error {
	gone := r.node.Exited()
	listens := Poll(ctx, StartTimeout, func() bool {
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

func (r *Rabbit) at(port int) string { return r.all.At(rabbitOctet, port) }

// Web is where it speaks STOMP over WebSocket, on the path /ws.
func (r *Rabbit) Web() netip.AddrPort { return netip.MustParseAddrPort(r.at(rabbitWeb)) }

// Pid is the process id.
func (r *Rabbit) Pid() int { return r.node.Pid() }

// Stop ends it and removes all it has stored.
func (r *Rabbit) Stop() error {
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
