package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

// Gauge is how fast the machine is at what a chat is made of, whatever the chat does: figures of two machines, or of
// one machine on two days, are worth comparing beside it. All are medians.
type Gauge struct {
	Write time.Duration // of 400 bytes to a loopback socket whose reader does not wait for them
	Read  time.Duration // of these
	Sync  time.Duration // fsync of 8 KiB appended to a file
}

// String is the gauge as a fact of a report.
func (g Gauge) String() string {
	return fmt.Sprintf("gauge: a write of 400 bytes to a loopback socket takes %.1f µs, the read %.1f µs, an fsync %.2f ms",
		micros(g.Write), micros(g.Read), micros(g.Sync)/1000)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

const (
	gaugeWrites = 2000
	gaugeSyncs  = 50
)

// TakeGauge measures for some milliseconds. The file is made, and removed, in the folder for temporary files, where
// PostgreSQL's data is during a run.
func TakeGauge(ctx context.Context) (Gauge, error) {
	var g Gauge
	var err1, err2 error
	g.Write, g.Read, err1 = gaugeSocket(ctx)
	g.Sync, err2 = gaugeSync()
	if err := errors.Join(err1, err2); err != nil {
		return Gauge{}, fmt.Errorf("take the gauge of the machine: %w", err)
	}
	return g, nil
}

func gaugeSocket(ctx context.Context) (write, read time.Duration, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = listener.Close() }()
	to, err := new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return 0, 0, err
	}
	defer to.Close()
	from, err := listener.Accept()
	if err != nil {
		return 0, 0, err
	}
	defer from.Close()
	buffer := make([]byte, 400)
	writes, reads := make([]time.Duration, 0, gaugeWrites), make([]time.Duration, 0, gaugeWrites)
	for range gaugeWrites {
		began := time.Now()
		_, err1 := to.Write(buffer)
		between := time.Now()
		_, err2 := from.Read(buffer)
		if err := errors.Join(err1, err2); err != nil {
			return 0, 0, err
		}
		writes, reads = append(writes, between.Sub(began)), append(reads, time.Since(between))
	}
	return middle(writes), middle(reads), nil
}

func gaugeSync() (time.Duration, error) {
	file, err := os.CreateTemp("", "fliliy-gauge-")
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	block := make([]byte, 8<<10)
	syncs := make([]time.Duration, 0, gaugeSyncs)
	for range gaugeSyncs {
		if _, err := file.Write(block); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := file.Sync(); err != nil {
			return 0, err
		}
		syncs = append(syncs, time.Since(began))
	}
	return middle(syncs), nil
}

func middle(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
