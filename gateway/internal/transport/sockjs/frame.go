package sockjs

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// What the server sends (SockJS 0.3.3, "Framing accepted by the client").
const (
	frameOpen      = "o"
	frameHeartbeat = "h"
	hexDigits      = "0123456789abcdef"
)

// errBroken says that a client sent no JSON string and no JSON array of strings.
var errBroken = errors.New("broken JSON encoding")

// appendMessage appends one message to those of an a-frame: JSON strings with commas between.
func appendMessage(list, message []byte) []byte {
	if len(list) > 0 {
		list = append(list, ',')
	}
	return appendQuoted(list, message, false)
}

// appendFrame makes an a-frame of messages.
func appendFrame(dst, list []byte) []byte {
	dst = append(dst, 'a', '[')
	dst = append(dst, list...)
	return append(dst, ']')
}

// closeFrame tells a client that its session is over.
func closeFrame(code transport.CloseCode, reason string) []byte {
	frame := strconv.AppendUint([]byte("c["), uint64(code), 10)
	return append(appendQuoted(append(frame, ','), []byte(reason), false), ']')
}

// appendQuoted appends text as a JSON string. Beside what JSON demands it escapes the characters that browsers mangle
// on some transports ("JSON Unicode Encoding"), and for text within HTML what could end a script element. Bytes that
// are no UTF-8 become U+FFFD.
func appendQuoted(dst, text []byte, forHTML bool) []byte {
	dst = append(dst, '"')
	plain := 0 // text[plain:i] needs no escape and is not copied yet
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			if b >= ' ' && b != '"' && b != '\\' && (!forHTML || b != '<' && b != '>' && b != '&') {
				i++
				continue
			}
			dst = append(dst, text[plain:i]...)
			dst = appendEscape(dst, rune(b))
			i++
			plain = i
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if escapable(r) {
			dst = append(dst, text[plain:i]...)
			dst = appendEscape(dst, r)
			plain = i + size
		}
		i += size
	}
	dst = append(dst, text[plain:]...)
	return append(dst, '"')
}

// escapable says whether browsers may mangle a character beyond ASCII.
func escapable(r rune) bool {
	switch {
	case r < 0x200c:
		return false
	case r <= 0x200f, r >= 0x2028 && r <= 0x202f, r >= 0x2060 && r <= 0x206f:
		return true
	}
	return r >= 0xfff0 && r <= 0xffff
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// parseMessages takes what a client sent, a JSON array of strings or one string, apart. The messages share memory with
// p, which is overwritten. Empty ones are left out.
func parseMessages(p []byte) ([][]byte, error) {
	if !utf8.Valid(p) {
		return nil, errBroken
	}
	s := scanner{p: p}
	s.space()
	if s.peek() == '"' {
		message, err := s.text()
		if err != nil || !s.atEnd() {
			return nil, errBroken
		}
		return appendNotEmpty(nil, message), nil
	}
	messages, err := s.array()
	if err != nil || !s.atEnd() {
		return nil, errBroken
	}
	return messages, nil
}

func appendNotEmpty(messages [][]byte, message []byte) [][]byte {
	if len(message) == 0 {
		return messages
	}
	return append(messages, message)
}

// scanner reads JSON from p[at:]; what it has unescaped stands before.
type scanner struct {
	p  []byte
	at int
}

func (s *scanner) space() {
	for s.at < len(s.p) && bytes.IndexByte([]byte(" \t\r\n"), s.p[s.at]) >= 0 {
		s.at++
	}
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at == len(s.p) {
		return 0
	}
	return s.p[s.at]
}

func (s *scanner) atEnd() bool {
	s.space()
	return s.at == len(s.p)
}

// take passes over one byte that has to be b, and white space around it.
func (s *scanner) take(b byte) bool {
	s.space()
	if s.peek() != b {
		return false
	}
	s.at++
	s.space()
	return true
}

func (s *scanner) array() (messages [][]byte, err error) {
	if !s.take('[') {
		return nil, errBroken
	}
	if s.take(']') {
		return nil, nil
	}
	for {
		message, err := s.text()
		if err != nil {
			return nil, err
		}
		messages = appendNotEmpty(messages, message)
		if s.take(']') {
			return messages, nil
		}
		if !s.take(',') {
			return nil, errBroken
		}
	}
}

// text reads a JSON string and unescapes it in its place: no escape is shorter than what it stands for.
func (s *scanner) text() ([]byte, error) {
	if s.peek() != '"' {
		return nil, errBroken
	}
	s.at++
	start, end := s.at, s.at
	for s.at < len(s.p) {
		switch b := s.p[s.at]; {
		case b == '"':
			s.at++
			return s.p[start:end:end], nil
		case b < ' ':
			return nil, errBroken
		case b == '\\':
			r, ok := s.escape()
			if !ok {
				return nil, errBroken
			}
			end = len(utf8.AppendRune(s.p[:end], r))
		default:
			s.p[end] = b
			s.at++
			end++
		}
	}
	return nil, errBroken
}

// escape reads one escape, or two that are a surrogate pair. A lone surrogate is U+FFFD.
func (s *scanner) escape() (rune, bool) {
	if len(s.p)-s.at < 2 {
		return 0, false
	}
	letter := s.p[s.at+1]
	if letter == 'u' {
		return s.unicode()
	}
	i := bytes.IndexByte([]byte(`"\/bfnrt`), letter)
	if i < 0 {
		return 0, false
	}
	s.at += 2
	return rune("\"\\/\b\f\n\r\t"[i]), true
}

func (s *scanner) unicode() (rune, bool) {
	r, ok := s.hex(s.at)
	if !ok {
		return 0, false
	}
	s.at += 6
	if !utf16.IsSurrogate(r) {
		return r, true
	}
	if low, ok := s.hex(s.at); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			s.at += 6
			return pair, true
		}
	}
	return utf8.RuneError, true
}

// hex reads the \uXXXX at a place.
func (s *scanner) hex(at int) (rune, bool) {
	if len(s.p)-at < 6 || s.p[at] != '\\' || s.p[at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.p[at+2:at+6]), 16, 16)
	return rune(n), err == nil //nolint:gosec // 16 bits
}
