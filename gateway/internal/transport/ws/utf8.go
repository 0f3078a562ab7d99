package ws

import "unicode/utf8"

// utf8Checker checks text that comes in pieces, cut anywhere. The zero value is ready.
type utf8Checker struct {
	tail [utf8.UTFMax]byte // a rune's first bytes, at the end of the last piece
	n    int
}

// add says whether the text can still be UTF-8.
func (u *utf8Checker) add(p []byte) bool {
	for u.n > 0 && len(p) > 0 {
		u.tail[u.n] = p[0]
		u.n++
		p = p[1:]
		if utf8.FullRune(u.tail[:u.n]) {
			if r, size := utf8.DecodeRune(u.tail[:u.n]); r == utf8.RuneError && size == 1 {
				return false
			}
			u.n = 0
		}
	}
	whole := len(p) - unfinished(p)
	if whole < len(p) {
		u.n = copy(u.tail[:], p[whole:])
	}
	return utf8.Valid(p[:whole])
}

// complete says whether the text so far ends with a whole rune.
func (u *utf8Checker) complete() bool { return u.n == 0 }

// unfinished is the length of the rune at the end of p that lacks bytes, 0 without one.
func unfinished(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		last := p[len(p)-n:]
		if utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}
