package stomp

import "math"

// readLength takes content-length, and refuses what the header alone condemns.
func (d *Decoder) readLength() *Error {
	at := &d.current
	text, given := d.frame.Header.Lookup(contentLength)
	if given {
		n, ok := parseLength(text)
		if !ok {
			return malformed("bad content-length", "content-length must be a decimal number of octets, digits only")
		}
		at.length, at.hasLen = n, true
	}
	if d.version != V10 && !mayHaveBody(at.command) {
		if at.length > 0 {
			return unwantedBody(at.command)
		}
		at.hasLen = true
	}
	if at.length > d.limits.MaxBody {
		return d.bodyTooLarge()
	}
	return nil
}

// parseLength reads digits. Larger numbers than any limit come out as one number that is larger than any limit.
func parseLength(text string) (int, bool) {
	const ceiling = math.MaxInt / 16
	n := 0
	for i := 0; i < len(text); i++ {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, false
		}
		n = min(n*10+int(digit), ceiling)
	}
	return n, text != ""
}

// findEnd returns the offset of the NUL that ends the frame, or -1 when it has not arrived.
func (d *Decoder) findEnd(octets []byte) (int, *Error) {
	at := &d.current
	if at.hasLen {
		end := at.body + at.length
		switch {
		case end >= len(octets):
			return -1, nil
		case octets[end] == 0:
			return end, nil
		case !mayHaveBody(at.command) && at.length == 0:
			return -1, unwantedBody(at.command)
		}
		return -1, malformed("bad content-length",
			"the body does not end after the %d octets that content-length says", at.length)
	}
	at.skipClean(octets)
	if at.clean-at.body > d.limits.MaxBody {
		return -1, d.bodyTooLarge()
	}
	if at.clean == len(octets) {
		return -1, nil
	}
	return at.clean, nil
}

func (d *Decoder) bodyTooLarge() *Error {
	return tooLarge(LimitBody, "body too large", "the body of the %s is longer than %d octets", d.current.command, d.limits.MaxBody)
}

func unwantedBody(command string) *Error {
	return malformed("unexpected body", "a %s frame has no body; only SEND, MESSAGE and ERROR may have one", command)
}
