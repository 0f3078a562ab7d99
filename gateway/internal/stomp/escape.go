package stomp

import (
	"bytes"
	"strings"
)

// rule is what a version does with an octet of a header key or value on the way out.
type rule uint8

const (
	plain rule = iota
	escape
	drop
)

// rules[v] is the table of version v; rules[0] serves frames that are never escaped and peers whose version is not
// known. NUL is dropped everywhere: no version can escape it, and peers take it for the end of the frame.
var rules = [...][256]rule{
	0:   {0: drop, '\n': drop, '\r': drop},
	V10: {0: drop, '\n': drop, '\r': drop},
	V11: {0: drop, '\n': escape, '\r': drop, ':': escape, '\\': escape},
	V12: {0: drop, '\n': escape, '\r': escape, ':': escape, '\\': escape},
}

// bareKey is for keys where nothing can be escaped: a colon in one would end it.
var bareKey = [256]rule{0: drop, '\n': drop, '\r': drop, ':': drop}

// AppendEscaped appends a header value as version v writes it. Octets that the version cannot carry are left
// out, never written raw: NUL in all, CR in 1.0 and 1.1, LF in 1.0. It allocates only to grow dst.
func AppendEscaped(dst []byte, v Version, s string) []byte {
	return appendByRules(dst, &rules[min(v, V12)], s)
}

func appendByRules(dst []byte, table *[256]rule, s string) []byte {
	done := 0
	for i := 0; i < len(s); i++ {
		what := table[s[i]]
		if what == plain {
			continue
		}
		dst = append(dst, s[done:i]...)
		if what == escape {
			dst = append(dst, '\\', escapeLetter(s[i]))
		}
		done = i + 1
	}
	return append(dst, s[done:]...)
}

// mustDrop says whether s holds an octet that cannot be written.
func mustDrop(table *[256]rule, s string) bool {
	for i := 0; i < len(s); i++ {
		if table[s[i]] == drop {
			return true
		}
	}
	return false
}

// escapeLetter is what follows the backslash (STOMP 1.2, "Value Encoding").
func escapeLetter(octet byte) byte {
	switch octet {
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case ':':
		return 'c'
	}
	return octet // a backslash stands for itself
}

// unescaped is the octet behind a backslash and a letter; false where the version knows no such escape.
func unescaped(v Version, letter byte) (byte, bool) {
	switch letter {
	case 'n':
		return '\n', true
	case 'c':
		return ':', true
	case '\\':
		return '\\', true
	case 'r':
		return '\r', v == V12
	}
	return 0, false
}

// unescapeTo writes escaped text into b without its escapes, and returns what it wrote. The room must be in b
// already: the result is a part of b's memory, which must not move.
func unescapeTo(b *strings.Builder, v Version, text []byte) (string, *Error) {
	start := b.Len()
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			b.Write(text)
			return b.String()[start:], nil
		}
		if i+1 == len(text) {
			return "", malformed("bad escape", `a header key or value ends in a lone backslash; write \\ for one`)
		}
		octet, ok := unescaped(v, text[i+1])
		if !ok {
			return "", malformed("bad escape", "a header holds the escape %q, which STOMP %s does not know", text[i:i+2], v)
		}
		b.Write(text[:i])
		b.WriteByte(octet)
		text = text[i+2:]
	}
}
