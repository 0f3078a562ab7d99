package faults

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// frame is one STOMP frame as it came; header values are read on demand. It points into what it was parsed from.
type frame struct {
	command string
	head    []byte // the header lines, each with its line feed
	body    []byte
}

var errBroken = errors.New("the gateway sent no STOMP frame")

// commands that a server sends.
var commands = [...]string{"MESSAGE", "RECEIPT", "ERROR", "CONNECTED"}

// parseFrame reads the next frame of a WebSocket message, passing over heart-beats. A frame without a command is none:
// nothing is left.
func parseFrame(data []byte) (f frame, rest []byte, err error) {
	data = bytes.TrimLeft(data, "\r\n")
	if len(data) == 0 {
		return frame{}, nil, nil
	}
	line, after, found := bytes.Cut(data, []byte{'\n'})
	if !found {
		return frame{}, nil, fmt.Errorf("%w: %.80q", errBroken, data)
	}
	for _, command := range commands {
		if string(line) == command {
			f.command = command
		}
	}
	end := 0 // of the header
	if !bytes.HasPrefix(after, []byte{'\n'}) {
		if end = bytes.Index(after, []byte("\n\n")) + 1; end == 0 {
			return frame{}, nil, fmt.Errorf("%w: %.80q", errBroken, data)
		}
	}
	if f.command == "" {
		return frame{}, nil, fmt.Errorf("%w: command %.20q", errBroken, line)
	}
	f.head, after = after[:end], after[end+1:]
	length := bytes.IndexByte(after, 0)
	if text := f.get("content-length"); text != "" {
		if length, err = strconv.Atoi(text); err != nil {
			return frame{}, nil, fmt.Errorf("%w: content-length %q", errBroken, text)
		}
	}
	if length < 0 || length >= len(after) || after[length] != 0 {
		return frame{}, nil, fmt.Errorf("%w: no NUL where the body ends", errBroken)
	}
	f.body = after[:length]
	return f, after[length+1:], nil
}

// get returns a header's first value, or "".
func (f frame) get(key string) string {
	for head := f.head; len(head) > 0; {
		line, rest, _ := bytes.Cut(head, []byte{'\n'})
		if len(line) > len(key) && line[len(key)] == ':' && string(line[:len(key)]) == key {
			return unescape(string(line[len(key)+1:]))
		}
		head = rest
	}
	return ""
}

var unescaper = strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\c`, ":", `\\`, `\`)

func unescape(value string) string {
	if strings.IndexByte(value, '\\') < 0 {
		return value
	}
	return unescaper.Replace(value)
}

// appendFrame encodes a frame; the header is keys and values in turn, which need no escaping.
func appendFrame(dst []byte, command string, body []byte, header ...string) []byte {
	dst = append(dst, command...)
	dst = append(dst, '\n')
	for i := 0; i+1 < len(header); i += 2 {
		dst = append(dst, header[i]...)
		dst = append(dst, ':')
		dst = append(dst, header[i+1]...)
		dst = append(dst, '\n')
	}
	if len(body) > 0 {
		dst = append(dst, "content-length:"...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	dst = append(dst, body...)
	return append(dst, 0)
}
