//go:build !unix

package ws

import (
	"errors"
	"net"
	"syscall"
)

// rawOf gives no access: connections are read and written through net here.
func rawOf(net.Conn) syscall.RawConn { return nil }

func readRaw(syscall.RawConn, **[chunkSize]byte, bool) (int, error) { return 0, errors.ErrUnsupported }

func writeRaw(*socket, []byte, manner) error { return errors.ErrUnsupported }
