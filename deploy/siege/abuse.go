package siege

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"
)

// floods are what the abuser sends, in turn, over and over: a beginning, and what follows it without end. Their mask is zero.
var floods = []struct{ first, again []byte }{
	{nil, []byte{0x89, 0x80, 0, 0, 0, 0}},                                    // pings
	{[]byte{0x02, 0x80, 0, 0, 0, 0}, []byte{0x00, 0x80, 0, 0, 0, 0}},         // fragments with nothing in them
	{nil, []byte{0x82, 0x81, 0, 0, 0, 0, '\n'}},                              // messages of one line feed
	{[]byte{0x02, 0x81, 0, 0, 0, 0, '\n'}, []byte{0, 0x81, 0, 0, 0, 0, 'x'}}, // fragments of one byte
}

// refusedPause is what the abuser waits after a refusal. Without, this would measure a flood of connections, which is for the
// firewall: no gateway can refuse one for less than it costs to accept it.
const refusedPause = 100 * time.Millisecond

// abuse floods the gateway with frames, from one address. Whenever it is cut it connects again at once, and when it is
// refused soon after, for as long as it is told to. It returns the longest that it was let.
func abuse(lasts time.Duration) func(context.Context, *system, int) (time.Duration, error) {
	return func(ctx context.Context, s *system, _ int) (longest time.Duration, err error) {
		ctx, cancel := context.WithTimeout(ctx, lasts)
		defer cancel()
		for number := 0; ctx.Err() == nil; number++ {
			flood := floods[number%len(floods)]
			held := time.Duration(0)
			if conn, err := s.dial(ctx, 0); err == nil {
				held = floodOnce(ctx, conn, flood.first, bytes.Repeat(flood.again, 1000))
			}
			longest = max(longest, held)
			if held == 0 {
				select {
				case <-ctx.Done():
				case <-time.After(refusedPause):
				}
			}
		}
		return longest, nil
	}
}

// floodOnce upgrades a connection, sends until it is cut, and returns how long that took; 0: it was refused.
func floodOnce(ctx context.Context, conn net.Conn, first, again []byte) time.Duration {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := io.WriteString(conn, upgrade); err != nil {
		return 0
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return 0
	}
	began, cut := time.Now(), make(chan struct{})
	go func() {
		defer close(cut)
		_, _ = io.Copy(io.Discard, reader) // pongs, and the end
		_ = conn.Close()
	}()
	_, err = conn.Write(first)
	for err == nil {
		_, err = conn.Write(again)
	}
	<-cut
	return time.Since(began)
}

// measure says how much of the machine's CPUs the gateway uses while something is done: 1 is all of it.
func (s *system) measure(do func() error) (float64, error) {
	before, err := s.stat()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return 0, err
	}
	took := time.Since(began).Seconds() * float64(runtime.NumCPU())
	after, err := s.stat()
	if err != nil {
		return 0, err
	}
	return (after.CPUTime() - before.CPUTime()) / took, nil
}
