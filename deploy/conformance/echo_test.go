package conformance_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// The cases of public WebSocket suites, in essence: RFC 6455 on an echo, one table for each of their chapters.

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

func text(payload string) frame { return frame{fin | opText, payload} }
func bin(payload string) frame  { return frame{fin | opBinary, payload} }
func ping(payload string) frame { return frame{fin | opPing, payload} }
func pong(payload string) frame { return frame{fin | opPong, payload} }

// byeFrame is a close frame.
func byeFrame(code int, reason string) frame {
	return frame{fin | opClose, string([]byte{byte(code >> 8), byte(code)}) + reason} //nolint:gosec // 16 bits
}

// fragments cuts a message into frames of so many bytes.
func fragments(op byte, message string, size int) []frame {
	var all []frame
	for part := range slices.Chunk([]byte(message), size) {
		all = append(all, frame{0, string(part)})
	}
	all[0].first = op
	all[len(all)-1].first |= fin
	return all
}

// echoCase sends frames, then a close frame with 1000 unless the server has closed before. What comes back is want and a
// close frame with code; 0 is 1000, the client's own.
type echoCase struct {
	name  string
	send  []frame
	want  []frame
	code  int
	chops int // the octets go out in parts of so many bytes; 0: in one
}

func same(name string, frames ...frame) echoCase {
	return echoCase{name: name, send: frames, want: frames}
}

func broken(name string, code int, frames ...frame) echoCase {
	return echoCase{name: name, send: frames, code: code}
}

func framing() []echoCase {
	var all []echoCase
	for _, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
		all = append(all,
			same(fmt.Sprintf("1.1 text of %d", n), text(strings.Repeat("*", n))),
			same(fmt.Sprintf("1.2 binary of %d", n), bin(strings.Repeat("\xfe", n))),
			same(fmt.Sprintf("1.2 binary of %d that could be text", n), bin(strings.Repeat("*", n))))
	}
	chopped := same("1.1 text of 65536 in parts", text(strings.Repeat("*", 65536)))
	chopped.chops = 997
	return append(all, chopped)
}

func controls() []echoCase {
	all := []echoCase{
		{name: "2.1 ping of nothing", send: []frame{ping("")}, want: []frame{pong("")}},
		{name: "2.2 ping", send: []frame{ping("Hello")}, want: []frame{pong("Hello")}},
		{name: "2.3 ping of binary", send: []frame{ping("\x00\xff\xfe")}, want: []frame{pong("\x00\xff\xfe")}},
		{name: "2.4 ping of 125", send: []frame{ping(strings.Repeat("\xfe", 125))}, want: []frame{pong(strings.Repeat("\xfe", 125))}},
		broken("2.5 ping of 126", 1002, ping(strings.Repeat("\xfe", 126))),
		{name: "2.6 ping byte by byte", send: []frame{ping("Hello")}, want: []frame{pong("Hello")}, chops: 1},
		{name: "2.7 pong that nobody asked for", send: []frame{pong("")}},
		{name: "2.8 pong with payload", send: []frame{pong("x"), ping("y")}, want: []frame{pong("y")}},
		{name: "2.10 ten pings", send: slices.Repeat([]frame{ping("p")}, 10), want: slices.Repeat([]frame{pong("p")}, 10)},
	}
	for _, bits := range []byte{0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70} {
		all = append(all, broken(fmt.Sprintf("3 reserved bits %x of text", bits), 1002, frame{fin | bits | opText, "x"}),
			broken(fmt.Sprintf("3 reserved bits %x of ping", bits), 1002, frame{fin | bits | opPing, ""}))
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		all = append(all, broken(fmt.Sprintf("4 opcode %d", op), 1002, frame{fin | op, ""}),
			broken(fmt.Sprintf("4 opcode %d with payload", op), 1002, frame{fin | op, "x"}))
	}
	return all
}

func fragmentation() []echoCase {
	return []echoCase{
		broken("5.1 ping in fragments", 1002, frame{opPing, "a"}, frame{fin | opContinue, "b"}),
		broken("5.2 pong in fragments", 1002, frame{opPong, "a"}, frame{fin | opContinue, "b"}),
		{name: "5.3 two fragments", send: fragments(opText, "fragment1fragment2", 9), want: []frame{text("fragment1fragment2")}},
		{name: "5.5 byte by byte", send: fragments(opText, "fragment1fragment2", 9), want: []frame{text("fragment1fragment2")}, chops: 1},
		{name: "5.6 ping between", send: []frame{{opText, "a"}, ping("p"), {fin | opContinue, "b"}}, want: []frame{pong("p"), text("ab")}},
		broken("5.9 continuation of nothing", 1002, frame{fin | opContinue, "x"}, text("y")),
		broken("5.12 unfinished continuation of nothing", 1002, frame{opContinue, "x"}, text("y")),
		broken("5.15 continuation after the end", 1002, frame{opText, "a"}, frame{fin | opContinue, "b"}, frame{opContinue, "c"}).after(text("ab")),
		broken("5.18 text within text", 1002, frame{opText, "a"}, frame{fin | opText, "b"}),
		{
			name: "5.19 pings between five fragments",
			send: []frame{{opText, "1"}, {opContinue, "2"}, ping("p"), {opContinue, "3"}, {opContinue, "4"}, ping("q"), {fin | opContinue, "5"}},
			want: []frame{pong("p"), pong("q"), text("12345")},
		},
		{name: "empty fragments", send: []frame{{opText, ""}, {opContinue, ""}, {fin | opContinue, ""}}, want: []frame{text("")}},
	}
}

// after is the case with frames that come back before the close.
func (c echoCase) after(frames ...frame) echoCase {
	c.want = frames
	return c
}

// goodUTF8 and badUTF8 are the tables of chapter 6: first and last of each length, boundaries, and all that is ill-formed.
var (
	goodUTF8 = []string{
		"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\u0080", "\u0800", "\U00010000", "\x7f", "\u07ff", "\uffff", "\U0010ffff",
		"\ud7ff", "\ue000", "\ufffd", "\ufffe", "\U0001fffe", "\U0001ffff", "\U0002fffe", "\U000ffffe", "\U000fffff", "\U0010fffe",
	}
	badUTF8 = []string{
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", "\xce", "\xce\xba\xe1", "\xce\xba\xe1\xbd",
		"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf",
		"\xf4\x90\x80\x80", "\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", "\xc0 \xc1 \xdf ", "\xe0 \xef ",
		"\xf0 \xf7 ", "\xf8 \xfb ", "\xfc ", "\xfd ", "\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfe", "\xff", "\xfe\xfe\xff\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf",
		"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xed\xa0\x80", "\xed\xad\xbf",
		"\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf",
	}
)

func utf8Cases() []echoCase {
	var all []echoCase
	for _, s := range goodUTF8 {
		all = append(all, same(fmt.Sprintf("6 good %+q", s), text(s)),
			echoCase{name: fmt.Sprintf("6 good %+q in fragments", s), send: fragments(opText, s, 1), want: []frame{text(s)}})
	}
	for _, s := range badUTF8 {
		all = append(all, broken(fmt.Sprintf("6 bad %+q", s), 1007, text(s)),
			broken(fmt.Sprintf("6 bad %+q in fragments", s), 1007, fragments(opText, s+"  ", 1)...),
			same(fmt.Sprintf("6 bad %+q as binary", s), bin(s)))
	}
	return append(all, // it fails as soon as it shows, before the message is complete
		broken("6.4 bad in the first of two fragments", 1007, frame{opText, "\xce\xba\xf4\x90"}))
}

func closing() []echoCase {
	all := []echoCase{
		same("7.1 text, then close", text("Hello World!")),
		{name: "7.1.3 text after close", send: []frame{byeFrame(1000, ""), text("x")}},
		{name: "7.1.4 ping after close", send: []frame{byeFrame(1000, ""), ping("x")}},
		{name: "7.1.5 close within a message", send: []frame{{opText, "x"}, byeFrame(1000, ""), {fin | opContinue, "y"}}},
		{name: "7.3.1 close without a code", send: []frame{{fin | opClose, ""}}, code: -1},
		broken("7.3.2 close of one byte", 1002, frame{fin | opClose, "x"}),
		{name: "7.3.5 close with a reason of 123", send: []frame{byeFrame(1000, strings.Repeat("*", 123))}},
		broken("7.3.6 close of 126", 1002, byeFrame(1000, strings.Repeat("*", 124))),
		broken("7.5.1 close with a reason that is no UTF-8", 1007, byeFrame(1000, "\xce\xba\xed\xa0\x80")),
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		all = append(all, echoCase{name: fmt.Sprintf("7.7 close with %d", code), send: []frame{byeFrame(code, "")}, code: code})
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535} {
		all = append(all, broken(fmt.Sprintf("7.9 close with %d", code), 1002, byeFrame(code, "")))
	}
	return all
}

func limits() []echoCase {
	var all []echoCase
	for _, n := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20} {
		message := strings.Repeat("*", n)
		all = append(all, same(fmt.Sprintf("9.1 text of %d", n), text(message)),
			same(fmt.Sprintf("9.2 binary of %d", n), bin(strings.Repeat("\xfe", n))))
	}
	four := strings.Repeat("*", 4<<20)
	for _, size := range []int{64, 1 << 10, 64 << 10, 4 << 20} {
		all = append(all, echoCase{name: fmt.Sprintf("9.3 fragments of %d", size), send: fragments(opText, four, size), want: []frame{text(four)}},
			echoCase{name: fmt.Sprintf("9.4 binary fragments of %d", size), send: fragments(opBinary, four, size), want: []frame{bin(four)}})
	}
	chopped := same("9.5 text of 1 MiB in parts", text(four[:1<<20]))
	chopped.chops = 1 << 10
	return append(all, chopped,
		same("9.7 a thousand small messages", slices.Repeat([]frame{text(strings.Repeat("x", 16))}, 1000)...),
		echoCase{name: "10.1 65536 in fragments of 1300", send: fragments(opText, four[:65536], 1300), want: []frame{text(four[:65536])}})
}

func TestEcho(t *testing.T) {
	t.Parallel()
	if echo == "" {
		t.Log("a server named by -addr has no echo that we know of: only STOMP is held to its rules")
		return
	}
	for _, chapter := range [][]echoCase{framing(), controls(), fragmentation(), utf8Cases(), closing(), limits()} {
		for _, c := range chapter {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t)
			})
		}
	}
}

func (c echoCase) run(t *testing.T) {
	t.Helper()
	conn, r := dialEcho(t)
	go c.write(conn)
	for _, want := range c.want {
		got := readFrame(t, r)
		if got != want {
			t.Fatalf("got %x %.40q (%d), want %x %.40q (%d)",
				got.first, got.payload, len(got.payload), want.first, want.payload, len(want.payload))
		}
	}
	got := readFrame(t, r)
	code := c.code
	if code == 0 {
		code = 1000
	}
	want := byeFrame(code, "").payload
	if code < 0 {
		want = ""
	}
	if got.first != fin|opClose || len(got.payload) < len(want) || got.payload[:len(want)] != want || want == "" && got.payload != "" {
		t.Errorf("got %x %.40q, want a close frame with %d", got.first, got.payload, code)
	}
	_, _ = conn.Write(got.octets()) // the answer, which the server waits for; it may have closed already
	if more, err := r.ReadByte(); err == nil {
		t.Errorf("%x came after the close frame", more)
	}
}

// write sends the frames and, behind them, a close. The server may have closed long before the last one.
func (c echoCase) write(conn net.Conn) {
	var octets []byte
	for _, f := range c.send {
		octets = append(octets, f.octets()...)
	}
	if c.code == 0 {
		octets = append(octets, byeFrame(1000, "").octets()...)
	}
	size := len(octets)
	if c.chops > 0 {
		size = c.chops
	}
	for part := range slices.Chunk(octets, size) {
		if _, err := conn.Write(part); err != nil {
			return
		}
	}
}

func dialEcho(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	to, err := url.Parse(echo)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", to.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET "+to.Path+" HTTP/1.1\r\nHost: "+to.Host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %s", response.Status)
	}
	return conn, r
}

// readFrame reads a frame of the server.
func readFrame(t *testing.T, r *bufio.Reader) frame {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Fatalf("read a frame: %v", err)
	}
	size := make([]byte, map[byte]int{126: 2, 127: 8}[head[1]])
	if _, err := io.ReadFull(r, size); err != nil {
		t.Fatalf("read a length: %v", err)
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
		t.Fatalf("read %d bytes: %v", n, err)
	}
	return frame{head[0], payload.String()}
}
