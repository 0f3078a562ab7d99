package stomp

import "strconv"

// AppendFrame appends a frame as a peer of version v reads it; with version 0 (none negotiated) it is written so
// that all read the same. Keys and values are escaped as AppendEscaped says, in CONNECT and CONNECTED never; a field
// whose key has nothing left is not written.
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
	hasLength := len(f.Body) == 0
	written := false
	for i := range f.Header {
		if f.Header[i].Key != contentLength {
			dst = appendField(dst, v, f.Header[i])
		} else if !written {
			dst = appendContentLength(dst, len(f.Body))
			written, hasLength = true, true
		}
	}
	if !hasLength {
		dst = appendContentLength(dst, len(f.Body))
	}
	dst = append(dst, '\n')
	dst = append(dst, f.Body...)
	return append(dst, 0)
}

// appendField appends a header line, or nothing if its key comes to nothing.
func appendField(dst []byte, v Version, field Field) []byte {
	start := len(dst)
	keyRules := &bareKey
	if v >= V11 {
		keyRules = &rules[min(v, V12)]
	}
	dst = appendByRules(dst, keyRules, field.Key)
	if len(dst) == start {
		return dst
	}
	dst = append(dst, ':')
	dst = AppendEscaped(dst, v, field.Value)
	return append(dst, '\n')
}

func appendContentLength(dst []byte, n int) []byte {
	dst = append(dst, contentLength...)
	dst = append(dst, ':')
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\n')
}
