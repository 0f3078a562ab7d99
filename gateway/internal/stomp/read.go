package stomp

import (
	"bytes"
	"strings"
)

// read goes on with the current frame, or starts the next one; it says true when d.frame is complete.
func (d *Decoder) read() (bool, *Error) {
	if more, err := d.skipEOLs(); !more {
		return false, err
	}
	octets := d.data[d.start:]
	if d.current.body == 0 {
		if done, err := d.readHead(octets); !done {
			return false, err
		}
	}
	end, err := d.findEnd(octets)
	if end < 0 {
		return false, err
	}
	if end > d.current.body {
		d.frame.Body = octets[d.current.body:end:end]
	}
	d.start += end + 1
	d.current = progress{}
	return true, nil
}

// skipEOLs goes to the first octet of a frame and says whether there is one. CRLF is skipped in all versions: a peer
// that ends its lines so may have negotiated 1.1 with the frame before.
func (d *Decoder) skipEOLs() (bool, *Error) {
	for d.start < len(d.data) {
		rest := d.data[d.start:]
		switch {
		case rest[0] == '\n':
			d.start++
		case rest[0] != '\r':
			return true, nil
		case len(rest) == 1:
			return false, nil
		case rest[1] != '\n':
			return false, bareCR()
		default:
			d.start += 2
		}
	}
	return false, nil
}

// readHead reads line by line up to the empty one, and then makes the header.
func (d *Decoder) readHead(octets []byte) (bool, *Error) {
	at := &d.current
	at.skipClean(octets)
	for {
		end := len(octets)
		n := bytes.IndexByte(octets[at.scanned:], '\n')
		if n >= 0 {
			end = at.scanned + n
		}
		if err := d.checkLine(octets, end); err != nil {
			return false, err
		}
		at.scanned = end
		if n < 0 {
			return false, nil
		}
		empty, err := d.readLine(octets[at.line:end])
		if err != nil {
			return false, err
		}
		if empty {
			at.body = end + 1
			err := d.readHeader(octets[at.block:at.line])
			return err == nil, err
		}
		at.line, at.scanned = end+1, end+1
		if at.block == 0 {
			at.block = at.line
		}
	}
}

// checkLine refuses what can be refused of the line up to end before it is complete. It judges by the first octet
// that is wrong, so that the same bytes meet the same error however they are cut.
func (d *Decoder) checkLine(octets []byte, end int) *Error {
	at := &d.current
	allowed := d.lineRoom()
	if at.clean < min(end, at.line+allowed+1) {
		return malformed("NUL in a header", "the frame ended in line %d, before the empty line that ends its header",
			at.number())
	}
	switch {
	case end-at.line <= allowed:
		return nil
	case at.command == "":
		return unknownCommand(octets[at.line:end])
	case allowed < d.limits.MaxHeaderLine:
		return tooLarge(LimitHeaderLine, "header too large", "all header lines together are longer than %d octets",
			headerBlockLines*d.limits.MaxHeaderLine)
	}
	return tooLarge(LimitHeaderLine, "header too large", "line %d is longer than %d octets", at.number(), allowed)
}

// lineRoom is how long the line now read may be; less than none when the lines before it have taken it all.
func (d *Decoder) lineRoom() int {
	if d.current.command == "" {
		return longestCommand + len("\r")
	}
	used := d.current.line - d.current.block
	return min(d.limits.MaxHeaderLine, headerBlockLines*d.limits.MaxHeaderLine-used)
}

// readLine judges a complete line, without its LF; true is the empty line.
func (d *Decoder) readLine(line []byte) (bool, *Error) {
	at := &d.current
	if d.endsInCRLF() {
		line = bytes.TrimSuffix(line, carriageReturn)
		if bytes.IndexByte(line, '\r') >= 0 {
			return false, bareCR()
		}
	}
	if at.command == "" {
		at.command = commandOf(line)
		if at.command == "" {
			return false, unknownCommand(line)
		}
		return false, nil
	}
	if len(line) == 0 {
		return true, nil
	}
	at.headers++
	if at.headers > d.limits.MaxHeaders {
		return false, tooLarge(LimitHeaders, "too many headers", "the frame has more than %d header lines", d.limits.MaxHeaders)
	}
	switch bytes.IndexByte(line, ':') {
	case -1:
		return false, malformed("bad header", "line %d has no colon between key and value", at.headers+1)
	case 0:
		return false, malformed("bad header", "line %d has nothing before its colon", at.headers+1)
	}
	return false, nil
}

// readHeader makes the fields of a header block that readLine has found good, and what follows from them. It
// allocates one string for all of them.
func (d *Decoder) readHeader(block []byte) *Error {
	d.frame.Command = d.current.command
	if d.version >= V11 && isEscaped(d.frame.Command) && bytes.IndexByte(block, '\\') >= 0 {
		if err := d.unescapeFields(block); err != nil {
			return err
		}
	} else {
		d.splitFields(string(block))
	}
	return d.readLength()
}

// splitFields makes fields of good lines as they are.
func (d *Decoder) splitFields(block string) {
	for block != "" {
		line, rest, _ := strings.Cut(block, "\n")
		if d.endsInCRLF() {
			line = strings.TrimSuffix(line, "\r")
		}
		key, value, _ := strings.Cut(line, ":")
		d.addField(Field{Key: key, Value: value})
		block = rest
	}
}

// unescapeFields makes fields of good lines that hold escapes. All go into one piece of memory, which has room for
// them: nothing grows when it is unescaped.
func (d *Decoder) unescapeFields(block []byte) (err *Error) {
	var plain strings.Builder
	plain.Grow(len(block))
	for len(block) > 0 {
		line, rest, _ := bytes.Cut(block, lineFeed)
		if d.endsInCRLF() {
			line = bytes.TrimSuffix(line, carriageReturn)
		}
		key, value, _ := bytes.Cut(line, colon)
		var field Field
		if field.Key, err = unescapeTo(&plain, d.version, key); err != nil {
			return err
		}
		if field.Value, err = unescapeTo(&plain, d.version, value); err != nil {
			return err
		}
		d.addField(field)
		block = rest
	}
	return nil
}

func (d *Decoder) addField(field Field) {
	if d.room == nil {
		d.room = rooms.Get().(*[usualFields]Field)
		d.frame.Header = d.room[:0]
	}
	d.frame.Header = append(d.frame.Header, field)
}

// endsInCRLF: 1.2 knows lines that end in CRLF, and we take them before the version is known. In 1.0 and 1.1 a CR is
// an octet like others.
func (d *Decoder) endsInCRLF() bool { return d.version == 0 || d.version == V12 }

// skipClean looks for the first NUL in what has not been looked at.
func (p *progress) skipClean(octets []byte) {
	if n := bytes.IndexByte(octets[p.clean:], 0); n >= 0 {
		p.clean += n
	} else {
		p.clean = len(octets)
	}
}

// number is that of the line now read, the command's being 1.
func (p *progress) number() int {
	if p.command == "" {
		return 1
	}
	return p.headers + 2
}

func bareCR() *Error {
	return malformed("bare CR", "a CR must be followed by an LF, or be escaped as \\r")
}

func unknownCommand(line []byte) *Error {
	return malformed("unknown command", "%q is no STOMP command; commands are upper case, one to a line",
		line[:min(len(line), longestCommand+1)])
}
