// Package stompwire reads what a STOMP server sends over a WebSocket, frame by frame, for tests that send octets of their
// own making. It is no client: it negotiates nothing and hides nothing.
package stompwire

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/coder/websocket"
	"github.com/go-stomp/stomp/v3/frame"
)

// Next returns the next frame of a server that sends each in a message of its own, passing over heart-beats; or nil and
// the close code once the socket is closed.
func Next(ctx context.Context, socket *websocket.Conn) (*frame.Frame, websocket.StatusCode, error) {
	for {
		_, octets, err := socket.Read(ctx)
		if err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				return nil, closed.Code, nil
			}
			return nil, 0, fmt.Errorf("read: %w", err)
		}
		got, err := frame.NewReader(bytes.NewReader(octets)).Read()
		if err != nil {
			return nil, 0, fmt.Errorf("%q is no STOMP frame: %w", octets, err)
		}
		if got != nil { // nil is a heart-beat
			return got, 0, nil
		}
	}
}
