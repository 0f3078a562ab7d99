package stomp_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden frames are what clients and we say to each other, each in testdata/frames as it is on the wire.
var golden = []struct {
	name    string
	version stomp.Version
	frame   stomp.Frame
}{
	{"connect", 0, stomp.Frame{Command: stomp.CmdConnect, Header: stomp.Header{
		{"accept-version", "1.2,1.1,1.0"}, {"heart-beat", "10000,10000"}, {"Authorization", `Bearer a.b\nc.d`},
	}}},
	{"connected", stomp.V12, stomp.Frame{Command: stomp.CmdConnected, Header: stomp.Header{
		{"version", "1.2"},
		{"heart-beat", "10000,10000"},
		{"session", "s-1"},
		{"server", "fliliy-chat/1"},
		{"user-name", "alice:smith"},
	}}},
	{"subscribe", stomp.V12, stomp.Frame{Command: stomp.CmdSubscribe, Header: stomp.Header{
		{"id", "sub-0"}, {"destination", "/topic/chat/42"}, {"last-seq", "7"}, {"receipt", "r-1"},
	}}},
	{"send", stomp.V12, stomp.Frame{Command: stomp.CmdSend, Header: stomp.Header{
		{"destination", "/app/chat/42/send"}, {"content-type", "application/json"}, {"content-length", "42"},
	}, Body: []byte(`{"type":"TEXT","content":"你好 🎈 Ä"}`)}},
	{"send-binary", stomp.V12, stomp.Frame{Command: stomp.CmdSend, Header: stomp.Header{
		{"destination", "/app/chat/42/send"}, {"content-length", "8"},
	}, Body: []byte("\x00\xff\n\r\n\x00\xc3\x00")}},
	{"message-escaped-1.1", stomp.V11, stomp.Frame{Command: stomp.CmdMessage, Header: stomp.Header{
		{"subscription", "a:b"}, {"file", "C:\\new\nline"}, {"content-length", "2"},
	}, Body: []byte("{}")}},
	{"message-escaped-1.2", stomp.V12, stomp.Frame{Command: stomp.CmdMessage, Header: stomp.Header{
		{"subscription", "a:b"}, {"file", "C:\\new\r\nline"}, {"content-length", "2"},
	}, Body: []byte("{}")}},
	{"message-1.0", stomp.V10, stomp.Frame{Command: stomp.CmdMessage, Header: stomp.Header{
		{"destination", "/topic/chat/42"}, {"file", `C:\new`}, {"content-length", "2"},
	}, Body: []byte("{}")}},
	{"receipt", stomp.V12, stomp.Frame{Command: stomp.CmdReceipt, Header: stomp.Header{
		{"receipt-id", "r-1"}, {"message-id", "42-7"}, {"seq", "7"},
	}}},
	{"error", stomp.V12, stomp.Frame{Command: stomp.CmdError, Header: stomp.Header{
		{"message", "bad header"}, {"receipt-id", " r-1 "}, {"content-type", "text/plain"}, {"content-length", "33"},
	}, Body: []byte("line 3 has no colon: send key:val")}},
	{"disconnect", stomp.V12, stomp.Frame{Command: stomp.CmdDisconnect, Header: stomp.Header{{"receipt", "bye"}}}},
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, c := range golden {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "frames", c.name+".frame")
			wire := stomp.AppendFrame(nil, c.version, &c.frame)
			if *update {
				if err := os.WriteFile(path, wire, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; run the tests with -update to make it", err)
			}
			if !bytes.Equal(wire, want) {
				t.Errorf("encoded\n%q\nwant\n%q", wire, want)
			}
			if f := one(t, c.version, string(want)); !same(f, c.frame) {
				t.Errorf("decoded\n%+v\nwant\n%+v", f, c.frame)
			}
		})
	}
}

// Each golden file must still belong to a case.
func TestGoldenFilesAreUsed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "frames", "*.frame"))
	if err != nil || len(files) != len(golden) {
		t.Errorf("%d golden files for %d cases (%v)", len(files), len(golden), err)
	}
}
