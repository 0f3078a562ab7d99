package stomp

import (
	"bytes"
	"strconv"
)

// AppendFrame appends a frame as a peer of version v reads it; with version 0 (none negotiated) it is written so
// that all read the same. Values are escaped as AppendEscaped says, in CONNECT and CONNECTED never. So are keys, but a
// field whose key is empty or holds what cannot be written is left out: with octets dropped it could pass for another.
//
// content-length is always the true one: it is added where there is a body, and a field of that name, wherever it
// came from, is written with the length of the body instead of its value, the first of them only.
//
// The command is written as it is. It allocates only to grow dst.
func AppendFrame(dst []byte, v Version, f *Frame) []byte {
	if !isEscaped(f.Command) {
		v = 0
	}
	dst = append(dst, f.Command...)
	dst = append(dst, '\n')
	dst = appendHeader(dst, v, f.Header, len(f.Body))
	dst = append(dst, '\n')
	dst = append(dst, f.Body...)
	return append(dst, 0)
}

// appendHeader appends the header lines of a frame whose body has length octets. Next to no header needs escaping,
// so it writes the lines as they are, then looks at all of them at once, and writes them anew if it must.
func appendHeader(dst []byte, v Version, h Header, length int) []byte {
	start, lines, measured := len(dst), 0, false
	for i := range h {
		field := &h[i]
		if field.Key == "" {
			continue
		}
		if field.Key == contentLength {
			if !measured {
				dst = appendLength(dst, length)
				measured = true
				lines++
			}
			continue
		}
		dst = append(dst, field.Key...)
		dst = append(dst, ':')
		dst = append(dst, field.Value...)
		dst = append(dst, '\n')
		lines++
	}
	if length > 0 && !measured {
		dst = appendLength(dst, length)
		lines++
	}
	if isPlain(dst[start:], lines) {
		return dst
	}
	return appendByField(dst[:start], v, h, length)
}

// appendByField is appendHeader for headers that are not plain.
func appendByField(dst []byte, v Version, h Header, length int) []byte {
	measured := false
	for i := range h {
		switch {
		case h[i].Key != contentLength:
			dst = appendField(dst, v, h[i])
		case !measured:
			dst = appendLength(dst, length)
			measured = true
		}
	}
	if length > 0 && !measured {
		dst = appendLength(dst, length)
	}
	return dst
}

// appendField appends a header line, unless its key cannot be written.
func appendField(dst []byte, v Version, field Field) []byte {
	keyRules := &bareKey
	if v >= V11 {
		keyRules = &rules[min(v, V12)]
	}
	if field.Key == "" || mustDrop(keyRules, field.Key) {
		return dst
	}
	dst = appendByRules(dst, keyRules, field.Key)
	dst = append(dst, ':')
	dst = AppendEscaped(dst, v, field.Value)
	return append(dst, '\n')
}

func appendLength(dst []byte, n int) []byte {
	dst = append(dst, contentLength+":"...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\n')
}

// isPlain says that a header block of so many lines has nothing in its keys and values that some version escapes or
// drops. The few calls go through the octets with the machine's widest instructions.
func isPlain(block []byte, lines int) bool {
	return bytes.Count(block, colon) == lines && bytes.Count(block, lineFeed) == lines &&
		bytes.IndexByte(block, '\\') < 0 && bytes.IndexByte(block, '\r') < 0 && bytes.IndexByte(block, 0) < 0
}
