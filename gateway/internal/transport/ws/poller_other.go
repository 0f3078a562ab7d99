//go:build !linux

package ws

import "errors"

// Where there is no epoll, connections cannot wait without a goroutine: each reads on one of its own.
type (
	poller struct{}
	place  struct{}
)

func polling() *poller { return nil }

func (*poller) arm(*Conn) error { return errors.ErrUnsupported }

func (*poller) disarm(place) {}
