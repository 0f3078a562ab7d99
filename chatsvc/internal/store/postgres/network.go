package postgres

import (
	"errors"
	"io"
	"net"
)

// networkError says whether the connection broke, or was closed under a call.
func networkError(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
