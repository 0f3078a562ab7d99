package sockets_test

import (
	"bytes"
	"testing"

	"github.com/fliliy/chat/deploy/loadgen/sockets"
)

// Whatever a server sends: no panic, nothing beyond the data, and what is left over is the end of it.
func FuzzCut(f *testing.F) {
	f.Add([]byte{0x81, 3, 'a', 'b', 'c', 0x89, 0})
	f.Add([]byte{0x81, 126, 1, 0})
	f.Add([]byte{0x82, 127, 0, 0, 0, 0, 0, 4, 0, 0})
	f.Add([]byte{0x81, 0x83, 1, 2, 3, 4, 5, 6, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		for {
			_, payload, rest, err := sockets.Cut(data)
			if err != nil || payload == nil {
				return
			}
			if !bytes.HasSuffix(data, rest) || len(rest) >= len(data) || len(payload) > len(data)-len(rest) {
				t.Fatalf("%d bytes are cut into %d and %d", len(data), len(payload), len(rest))
			}
			data = rest
		}
	})
}
