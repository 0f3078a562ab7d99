package faults_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/faults"
)

// long is how long a test waits for what must happen, short for what must not.
const (
	long  = 30 * time.Second
	short = 100 * time.Millisecond
)

// echo answers every line with itself until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func newProxy(t *testing.T, target string) *faults.Proxy {
	t.Helper()
	proxy, err := faults.NewProxy("127.0.0.1:0", target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
	})
	return proxy
}

// caller is a connection that says lines and hears them back.
type caller struct {
	*net.TCPConn
	lines *bufio.Reader
}

func call(t *testing.T, addr string) caller {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, long)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return caller{conn.(*net.TCPConn), bufio.NewReader(conn)}
}

func (c caller) say(line string) error {
	_, err := io.WriteString(c, line+"\n")
	return err
}

func (c caller) hear(within time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(within))
	return c.lines.ReadString('\n')
}

func (c caller) mustEcho(t *testing.T, line string) {
	t.Helper()
	if err := c.say(line); err != nil {
		t.Fatalf("say %q: %v", line, err)
	}
	if got, err := c.hear(long); err != nil || got != line+"\n" {
		t.Fatalf("said %q, heard %q, %v", line, got, err)
	}
}

func (c caller) mustBeReset(t *testing.T) {
	t.Helper()
	_ = c.say("are you there")
	if got, err := c.hear(long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("heard %q, %v; want a connection that has ended", got, err)
	}
}

// mustReachNobody wants a new connection to be refused or to end at once.
func mustReachNobody(t *testing.T, addr string) {
	t.Helper()
	if conn, err := net.DialTimeout("tcp", addr, long); err == nil {
		c := caller{conn.(*net.TCPConn), bufio.NewReader(conn)}
		defer c.Close()
		c.mustBeReset(t)
	}
}

func TestProxyForwardsAndKeepsHalfOpenConnections(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, echo(t))
	c := call(t, proxy.Addr())
	c.mustEcho(t, "hello")
	if err := c.say("last words"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.hear(long); err != nil || got != "last words\n" {
		t.Fatalf("after the half-close heard %q, %v", got, err)
	}
	if _, err := c.hear(long); !errors.Is(err, io.EOF) {
		t.Fatalf("at the end: %v, want EOF", err)
	}
}

func TestProxyCutEndsWhatStandsOnly(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, echo(t))
	before := call(t, proxy.Addr())
	before.mustEcho(t, "hello")
	proxy.Cut()
	before.mustBeReset(t)
	call(t, proxy.Addr()).mustEcho(t, "again")
}

func TestProxyRefusesUntilHealed(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, echo(t))
	before := call(t, proxy.Addr())
	before.mustEcho(t, "hello")
	proxy.Refuse()
	before.mustBeReset(t)
	mustReachNobody(t, proxy.Addr())
	proxy.Heal()
	call(t, proxy.Addr()).mustEcho(t, "again")
}

func TestProxyBlackHoleHoldsAndTellsNobody(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, echo(t))
	stood := call(t, proxy.Addr())
	stood.mustEcho(t, "hello")
	proxy.BlackHole()
	came := call(t, proxy.Addr())
	for name, c := range map[string]caller{"that stood": stood, "that came": came} {
		if err := c.say("lost?"); err != nil {
			t.Fatalf("the connection %s: %v", name, err)
		}
		if got, err := c.hear(short); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the connection %s heard %q, %v through a black hole", name, got, err)
		}
	}
	proxy.Heal()
	for name, c := range map[string]caller{"that stood": stood, "that came": came} {
		if got, err := c.hear(long); err != nil || got != "lost?\n" {
			t.Errorf("after healing the connection %s heard %q, %v", name, got, err)
		}
	}
}

func TestProxyDelays(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, echo(t))
	c := call(t, proxy.Addr())
	c.mustEcho(t, "hello")
	proxy.Delay(short)
	began := time.Now()
	c.mustEcho(t, "later")
	if took := time.Since(began); took < 2*short { // there and back
		t.Errorf("the echo took %v, want at least %v", took, 2*short)
	}
	proxy.Heal()
	c.mustEcho(t, "soon")
}

func TestProxyWithoutTargetEndsConnections(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := newProxy(t, gone.Addr().String())
	_ = gone.Close()
	mustReachNobody(t, proxy.Addr())
}

func TestProxyCloseEndsEverything(t *testing.T) {
	t.Parallel()
	proxy, err := faults.NewProxy("127.0.0.1:0", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	c := call(t, proxy.Addr())
	c.mustEcho(t, "hello")
	proxy.BlackHole()
	if err := proxy.Close(); err != nil {
		t.Fatal(err)
	}
	c.mustBeReset(t)
	if conn, err := net.DialTimeout("tcp", proxy.Addr(), long); err == nil {
		_ = conn.Close()
		t.Error("the proxy still listens after Close")
	}
}
