package stomp_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	if want := (stomp.Limits{MaxBody: 65536, MaxHeaders: 100, MaxHeaderLine: 8192}); stomp.DefaultLimits != want {
		t.Errorf("%+v, want %+v", stomp.DefaultLimits, want)
	}
}

// Each case is at its limit; with one octet or line more (over), it is refused as soon as that has arrived.
func TestThreat11Limits(t *testing.T) {
	t.Parallel()
	limits := stomp.Limits{MaxBody: 10, MaxHeaders: 3, MaxHeaderLine: 20}
	lines := "a:" + strings.Repeat("v", 18) + "\n"
	for _, c := range []struct{ name, at, over, message string }{
		{"body", "SEND\n\n0123456789\x00", "SEND\n\n0123456789x", "body too large"},
		{"body by length", "SEND\ncontent-length:10\n\n0123456789\x00", "SEND\ncontent-length:11\n\n", "body too large"},
		{"headers", "SEND\na:1\na:2\na:3\n\n\x00", "SEND\na:1\na:2\na:3\na:4\n", "too many headers"},
		{"header line", "SEND\n" + lines + "\n\x00", "SEND\na:" + strings.Repeat("v", 19), "header too large"},
		{"header key", "SEND\n" + strings.Repeat("k", 19) + ":\n\n\x00", "SEND\n" + strings.Repeat("k", 21), "header too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := decode(stomp.V12, limits, c.at); got.err != nil || len(got.frames) != 1 {
				t.Errorf("at the limit: %+v, want a frame", got)
			}
			limit := map[string]stomp.Limit{
				"body too large": stomp.LimitBody, "too many headers": stomp.LimitHeaders, "header too large": stomp.LimitHeaderLine,
			}[c.message]
			for _, chunks := range [][]string{{c.over}, octets(c.over), {c.over + strings.Repeat("x\n", 100) + "\x00"}} {
				failure, ok := decode(stomp.V12, limits, chunks...).err.(*stomp.Error)
				if !ok || failure.Message != c.message || failure.Limit != limit {
					t.Errorf("over the limit in %d chunks: %v, want %q, too large", len(chunks), failure, c.message)
				}
			}
		})
	}
}

func TestDecodeLimitsTheWholeHeader(t *testing.T) {
	t.Parallel()
	limits := stomp.Limits{MaxHeaders: 1000, MaxHeaderLine: 100}
	line := "k:" + strings.Repeat("v", 97) + "\n"
	if got := decode(stomp.V12, limits, "SEND\n"+strings.Repeat(line, 8)+"\n\x00"); got.err != nil || len(got.frames) != 1 {
		t.Errorf("eight full lines: %+v, want a frame", got)
	}
	over := "SEND\n" + strings.Repeat(line, 8) + "k"
	for _, chunks := range [][]string{{over}, octets(over), {over + ":v\n\n\x00"}} {
		failure, ok := decode(stomp.V12, limits, chunks...).err.(*stomp.Error)
		if !ok || failure.Message != "header too large" || failure.Limit != stomp.LimitHeaderLine {
			t.Errorf("one octet more in %d chunks: %v, want header too large", len(chunks), failure)
		}
	}
}

func TestSetLimitsRaisesTheBudget(t *testing.T) {
	t.Parallel()
	d := stomp.NewDecoder(stomp.Limits{MaxHeaders: 1, MaxHeaderLine: 30})
	d.Feed([]byte("CONNECT\naccept-version:1.2\n\n\x00SEND\na:1\nb:2\n\nbody\x00"))
	if f, err := d.Next(); err != nil || f.Command != stomp.CmdConnect {
		t.Fatal(f, err)
	}
	d.SetLimits(stomp.DefaultLimits)
	d.SetVersion(stomp.V12)
	if f, err := d.Next(); err != nil || string(f.Body) != "body" {
		t.Fatal(f, err)
	}
}

// Memory follows what has arrived, never what is announced.
func TestThreat11NothingIsReservedForAnAnnouncedBody(t *testing.T) {
	var before, after runtime.MemStats
	d := stomp.NewDecoder(stomp.Limits{MaxBody: 1 << 40, MaxHeaders: 10, MaxHeaderLine: 100})
	runtime.ReadMemStats(&before)
	d.Feed([]byte("SEND\ncontent-length:1000000000\n\nhello"))
	f, err := d.Next()
	runtime.ReadMemStats(&after)
	if f != nil || err != nil {
		t.Fatal(f, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
		t.Errorf("%d octets allocated for 37 that arrived", grown)
	}
	if got := d.Buffered(); got != 37 {
		t.Errorf("%d octets buffered, want 37", got)
	}
}

func TestDecoderIsDeadAfterAnError(t *testing.T) {
	t.Parallel()
	d := stomp.NewDecoder(stomp.DefaultLimits)
	d.Feed([]byte("BEGIN\n\n\x00HELLO\n\n\x00SEND\n\n\x00"))
	if f, err := d.Next(); err != nil || f.Command != stomp.CmdBegin {
		t.Fatal(f, err)
	}
	_, first := d.Next()
	if first == nil {
		t.Fatal("no error")
	}
	d.Feed([]byte("SEND\n\n\x00"))
	if f, err := d.Next(); f != nil || err != first {
		t.Errorf("after the error: %v, %v; want the same error again", f, err)
	}
	if got := d.Buffered(); got != 0 {
		t.Errorf("%d octets buffered by a dead decoder", got)
	}
	if text := fmt.Sprint(first); !strings.HasPrefix(text, "unknown command: ") {
		t.Errorf("error text %q", text)
	}
}
