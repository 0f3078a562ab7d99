package ws_test

import (
	"testing"

	"github.com/fliliy/chat/gateway/internal/transport/transporttest"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	const maxMessage = 100_000
	features := transporttest.Features{MaxMessage: maxMessage, ClientCloseCodes: true, Binary: true}
	transporttest.Exercise(t, features, func(t *testing.T) (transporttest.Conn, transporttest.Peer) {
		t.Helper()
		own := newRig(t, ws.Options{MaxMessage: maxMessage})
		peer := dialClient(t, own, nil)
		return own.accepted(t).conn, peer
	})
}
