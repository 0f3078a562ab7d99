package stomp_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	gostomp "github.com/go-stomp/stomp/v3/frame"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// The frames of the benchmarks carry a body of 200 octets.
var (
	body200 = []byte(`{"type":"TEXT","clientMessageId":"0b9ad8a4-5f5c-4c57-8a3e-6a0f5f6f0001","content":"` +
		strings.Repeat("x", 115) + `"}`)
	send200 = stomp.Frame{
		Command: stomp.CmdSend,
		Header: stomp.Header{
			{Key: "destination", Value: "/app/chat/42/send"},
			{Key: "content-type", Value: "application/json"},
			{Key: "receipt", Value: "message-17"},
			{Key: "content-length", Value: "200"},
		},
		Body: body200,
	}
	message200 = stomp.Frame{
		Command: stomp.CmdMessage,
		Header: stomp.Header{
			{Key: "subscription", Value: "sub-0"},
			{Key: "destination", Value: "/topic/chat/42"},
			{Key: "message-id", Value: "42-1017"},
			{Key: "content-type", Value: "application/json"},
			{Key: "event", Value: "MESSAGE"},
			{Key: "seq", Value: "1017"},
			{Key: "content-length", Value: "200"},
		},
		Body: body200,
	}
)

func BenchmarkDecodeSend200(b *testing.B) {
	wire := stomp.AppendFrame(nil, stomp.V12, &send200)
	b.Run("ours", func(b *testing.B) {
		d := stomp.NewDecoder(stomp.DefaultLimits)
		d.SetVersion(stomp.V12)
		b.ReportAllocs()
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			d.Feed(wire)
			f, err := d.Next()
			if err != nil || len(f.Body) != 200 {
				b.Fatal(f, err)
			}
			if f, err := d.Next(); f != nil || err != nil {
				b.Fatal(f, err)
			}
		}
	})
	b.Run("go-stomp", func(b *testing.B) {
		source := bytes.NewReader(wire)
		d := gostomp.NewReader(source)
		b.ReportAllocs()
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			source.Reset(wire)
			f, err := d.Read()
			if err != nil || len(f.Body) != 200 {
				b.Fatal(f, err)
			}
		}
	})
}

func BenchmarkEncodeSend200(b *testing.B)    { benchmarkEncode(b, &send200) }
func BenchmarkEncodeMessage200(b *testing.B) { benchmarkEncode(b, &message200) }

func benchmarkEncode(b *testing.B, f *stomp.Frame) {
	wire := stomp.AppendFrame(nil, stomp.V12, f)
	b.Run("ours", func(b *testing.B) {
		dst := make([]byte, 0, 1024)
		b.ReportAllocs()
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			dst = stomp.AppendFrame(dst[:0], stomp.V12, f)
		}
	})
	b.Run("go-stomp", func(b *testing.B) {
		theirs := goStompFrame(f)
		w := gostomp.NewWriter(io.Discard)
		b.ReportAllocs()
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			if err := w.Write(theirs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPreparedAppendTo completes a prepared MESSAGE for one more subscription; go-stomp encodes it anew.
func BenchmarkPreparedAppendTo(b *testing.B) {
	wire := stomp.AppendFrame(nil, stomp.V12, &message200)
	b.Run("ours", func(b *testing.B) {
		p := stomp.NewPrepared(message200.Header[1:], body200)
		dst := make([]byte, 0, 1024)
		b.ReportAllocs()
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			dst = p.AppendTo(dst[:0], stomp.V12, "sub-0", "")
		}
	})
	b.Run("go-stomp", func(b *testing.B) {
		theirs := goStompFrame(&message200)
		w := gostomp.NewWriter(io.Discard)
		b.ReportAllocs()
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			theirs.Header.Set("subscription", "sub-0")
			if err := w.Write(theirs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func goStompFrame(f *stomp.Frame) *gostomp.Frame {
	theirs := gostomp.New(f.Command)
	for _, field := range f.Header {
		theirs.Header.Add(field.Key, field.Value)
	}
	theirs.Body = f.Body
	return theirs
}
