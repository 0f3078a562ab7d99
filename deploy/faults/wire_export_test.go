package faults

// ParsedFrame is a frame as the parser sees it.
type ParsedFrame struct {
	Command string
	Body    string
	get     func(string) string
}

// Get returns a header.
func (f ParsedFrame) Get(key string) string { return f.get(key) }

// ParseFrames reads all frames of a WebSocket message.
func ParseFrames(data []byte) ([]ParsedFrame, error) {
	var out []ParsedFrame
	for {
		f, rest, err := parseFrame(data)
		if err != nil || f.command == "" {
			return out, err
		}
		out = append(out, ParsedFrame{f.command, string(f.body), f.get})
		data = rest
	}
}

// AppendFrame encodes a frame.
func AppendFrame(command string, body []byte, header ...string) []byte {
	return appendFrame(nil, command, body, header...)
}
