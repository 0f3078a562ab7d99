package conformance_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// WebSocket frames as octets, for what no client library would send.

const (
	fin                                                   = 0x80
	opContinue, opText, opBinary, opClose, opPing, opPong = 0, 1, 2, 8, 9, 10
)

// frame is a frame as it was sent or received; masked by the client.
type frame struct {
	first   byte // fin, reserved bits, opcode
	payload string
}

// octets encodes a client's frame, with a mask that changes what it covers.
func (f frame) octets() []byte {
	out := []byte{f.first}
	switch n := len(f.payload); {
	case n < 126:
		out = append(out, 0x80|byte(n))
	case n <= 0xffff:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(n)) //nolint:gosec // 16 bits
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	out = append(out, mask[:]...)
	start := len(out)
	out = append(out, f.payload...)
	for i := range out[start:] {
		out[start+i] ^= mask[i%4]
	}
	return out
}

// String is short, and tells a close frame's code.
func (f frame) String() string {
	if f.isClose() && len(f.payload) >= 2 {
		return fmt.Sprintf("a close frame with %d %.80q", int(f.payload[0])<<8|int(f.payload[1]), f.payload[2:])
	}
	return fmt.Sprintf("a frame %x of %d octets %.40q", f.first, len(f.payload), f.payload)
}

func (f frame) isClose() bool { return f.first&0x0f == opClose }

func text(payload string) frame { return frame{first: fin | opText, payload: payload} }
func bin(payload string) frame  { return frame{first: fin | opBinary, payload: payload} }
func ping(payload string) frame { return frame{first: fin | opPing, payload: payload} }
func pong(payload string) frame { return frame{first: fin | opPong, payload: payload} }

// part is a frame that neither begins nor ends a message unless its first octet says so.
func part(first byte, payload string) frame { return frame{first: first, payload: payload} }

// byeFrame is a close frame.
func byeFrame(code int, reason string) frame {
	return part(fin|opClose, string([]byte{byte(code >> 8), byte(code)})+reason) //nolint:gosec // 16 bits
}

// fragments cuts a message into frames of so many bytes.
func fragments(op byte, message string, size int) []frame {
	var all []frame
	for piece := range slices.Chunk([]byte(message), size) {
		all = append(all, part(opContinue, string(piece)))
	}
	all[0].first = op
	all[len(all)-1].first |= fin
	return all
}

// dialRaw opens a WebSocket by hand.
func dialRaw(t *testing.T, to string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, r, response := shake(t, to, upgrade)
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %s", response.Status)
	}
	return conn, r
}

// upgrade is a handshake as RFC 6455 has it; {path} and {host} are the server's.
const upgrade = "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// shake sends a request as it is written and returns the answer.
func shake(t *testing.T, to, request string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	server, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", server.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patienceWith(4 * patience))); err != nil {
		t.Fatal(err)
	}
	request = strings.NewReplacer("{path}", server.Path, "{host}", server.Host).Replace(request)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, r, response
}

// nextFrame reads a frame of the server, but for its pings, which come when a test takes long.
func nextFrame(r *bufio.Reader) (frame, error) {
	for {
		if f, err := readFrame(r); err != nil || f.first != fin|opPing {
			return f, err
		}
	}
}

func readFrame(r *bufio.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, whyNot(err)
	}
	size := make([]byte, map[byte]int{126: 2, 127: 8}[head[1]])
	if _, err := io.ReadFull(r, size); err != nil {
		return frame{}, whyNot(err)
	}
	n := uint64(head[1])
	if len(size) > 0 {
		n = 0
		for _, octet := range size {
			n = n<<8 | uint64(octet)
		}
	}
	var payload bytes.Buffer
	if _, err := io.CopyN(&payload, r, int64(n)); err != nil { //nolint:gosec // 32 MiB at most
		return frame{}, whyNot(err)
	}
	return part(head[0], payload.String()), nil
}

// whyNot tells no addresses, which differ from run to run.
func whyNot(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("nothing comes")
	}
	return errors.New("the connection ended")
}
