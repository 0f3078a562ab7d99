package conformance_test

// refused is a SEND with such a header line or content-length, and an ERROR.
func refused(name, spec, line string) rule {
	return rule{name, spec, in(connect12, "SEND\ndestination:{d}\n"+line+"\n\nx^@"), []string{in12, "ERROR"}}
}

// echoed is a SEND with such lines of headers and body, and the MESSAGE it becomes.
func echoed(name, spec, lines, want string) rule {
	return rule{name, spec, subscribed("SEND\ndestination:{d}\n" + lines + "^@"), []string{in12, "MESSAGE " + want, bye}}
}

const (
	fatal     = "S12 Value Encoding: undefined escape sequences MUST be treated as fatal"
	grammar   = "S12 Augmented BNF: header = header-name \":\" header-value, of one octet and more"
	first     = "S12 Repeated Header Entries: only the first header entry SHOULD be used"
	octets    = "S12 Header content-length: octet count of the message body"
	exactly   = "S12 Body: this number of octets MUST be read, then NUL"
	noBody    = "S12 Body: only SEND, MESSAGE and ERROR MAY have a body; all others MUST NOT"
	overWeb   = "STOMP over WebSocket: frames and messages need not match"
	userField = "S12 SEND: user-defined headers become part of the MESSAGE"
)

var headers = []rule{
	{"EOLs between frames", "S12 Augmented BNF: frames may be followed by EOLs", in(connect12, "\n\r\n\n"), []string{in12, bye}},
	{"CRLF", "S12 Changes: EOL may be CRLF", in(connect12, "SEND\r\ndestination:{d}\r\nreceipt:r\r\n\r\nx^@"), []string{in12, "RECEIPT receipt-id:r", bye}},
	refused("bare CR", "S12 Augmented BNF: header values are octets except CR, LF and colon", "own:a\rb"),
	echoed("escapes of 1.2", "S12 Value Encoding: \\r, \\n, \\c, \\\\", "own:a\\cb\\\\\n\nx", "own:a:b\\ subscription:a destination:{d} message-id:* |x"),
	echoed("escapes of a name", "S12 Value Encoding: of header names, too", "a\\cb:c\n\nx", "subscription:a |x"),
	refused("undefined escape", fatal, "own:a\\tb"),
	refused("lone backslash at the end", fatal, "own:a\\"),
	{"\\r in 1.1", "S11 Value Encoding: undefined escape sequences MUST be treated as fatal", in(connect11, "SEND\ndestination:{d}\nown:a\\rb\n\nx^@"), []string{in11, "ERROR"}},
	refused("header without colon", grammar, "nonsense"),
	refused("empty header name", grammar, ":x"),
	echoed("spaces of values", "S11 Augmented BNF: spaces are part of the value", "own: a \n\nx", "own:␣a␣"),
	echoed("empty value", grammar, "own:\n\nx", "own: |x"),
	echoed("repeated header", first, "destination:/queue/other\nown:1\nown:2\n\nx", "own:1 destination:{d} |x"),
	echoed("repeated content-length", first, "content-length:3\ncontent-length:1\n\na^@b", "|a^@b"),
	{
		"repeated receipt", first,
		in(connect12, "SEND\ndestination:{d}\nreceipt:1\nreceipt:2\n\nx^@"),
		[]string{in12, "RECEIPT receipt-id:1", bye},
	},
	{
		"repeated id", first,
		in(connect12, "SUBSCRIBE\nid:a\nid:b\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\n\nx^@"),
		[]string{in12, "MESSAGE subscription:a", bye},
	},
	{"unknown command", "S12 Augmented BNF: client-command", in(connect12, "SHOUT\n\n^@"), []string{in12, "ERROR"}},
	{"lower case command", "S12 Augmented BNF: commands are case sensitive", in(connect12, "send\ndestination:{d}\n\nx^@"), []string{in12, "ERROR"}},
	{"command of the server", "S12 Augmented BNF: client-command", in(connect12, "MESSAGE\ndestination:{d}\n\nx^@"), []string{in12, "ERROR"}},
}

var bodies = []rule{
	echoed("content-length counts octets", octets, "content-length:4\n\n\xc3\x84^@x", "content-length:4 |\xc3\x84^@x"),
	echoed("content-length of nothing", octets, "content-length:0\n\n", "|"),
	echoed("no content-length", "S12 Body: the body ends at the first NUL", "\nÄ", "|Ä"),
	{
		"NUL without content-length", "S12 Body: the body ends at the first NUL",
		subscribed("SEND\ndestination:{d}\n\na^@b^@"),
		[]string{in12, "MESSAGE |a", "ERROR"},
	},
	refused("content-length too short", exactly, "content-length:1\n\nabc^@\n"),
	refused("negative content-length", octets, "content-length:-1"),
	refused("content-length with a sign", octets, "content-length:+1"),
	refused("content-length of spaces", octets, "content-length: 1"),
	refused("content-length of letters", octets, "content-length:x"),
	refused("content-length beyond all numbers", "S12 Size Limits: ERROR, then close", "content-length:99999999999999999999"),
	refused("content-length beyond all memory", "S12 Size Limits: ERROR, then close", "content-length:9999999999999"),
	{"body of SUBSCRIBE", noBody, in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\nbody^@"), []string{in12, "ERROR"}},
	{"body of UNSUBSCRIBE", noBody, subscribed("UNSUBSCRIBE\nid:a\n\nbody^@"), []string{in12, "ERROR"}},
	{"body of BEGIN", noBody, in(connect12, "BEGIN\ntransaction:t\n\nbody^@"), []string{in12, "ERROR"}},
	{"body of DISCONNECT", noBody, []string{connect12, "DISCONNECT\n\nbody^@"}, []string{in12, "ERROR"}},
	{
		"empty body of SUBSCRIBE", noBody,
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\ncontent-length:0\nreceipt:r\n\n^@"),
		[]string{in12, "RECEIPT receipt-id:r", bye},
	},
	echoed("content-type", "S12 Header content-type: of the body, for the receiver", "content-type:text/x;charset=utf-8\n\nx", "content-type:text/x;charset=utf-8"),
	echoed("no content-type", "S12 Header content-type: if it is not set, the body is a binary blob", "\nx", "!content-type"),
	echoed("user headers", userField, "own:1\nother:2\n\nx", "own:1 other:2"),
	echoed("reserved headers", "S12 MESSAGE: subscription and message-id are the server's",
		"subscription:forged\nmessage-id:forged\nack:forged\npasscode:secret\n\nx", "subscription:a !ack !passcode"),
}

// mappings are of STOMP frames on WebSocket messages.
var mappings = []rule{
	{"frame over messages", overWeb, in(connect12, "SEND\ndesti", "nation:{d}\nreceipt:r\n", "\nx", "^@"), []string{in12, "RECEIPT receipt-id:r", bye}},
	{
		"frames in one message", overWeb,
		in(connect12 + "SEND\ndestination:{d}\nreceipt:1\n\nx^@\n\nSEND\ndestination:{d}\nreceipt:2\n\nx^@"),
		[]string{in12, "RECEIPT receipt-id:1", "RECEIPT receipt-id:2", bye},
	},
	{"frame over fragments", overWeb, in(connect12, inFragments("SEN", "D\ndestination:{d}\nrece", "ipt:r\n\nx", "^@")), []string{in12, "RECEIPT receipt-id:r", bye}},
	{
		"character over fragments", overWeb,
		subscribed(inFragments("SEND\ndestination:{d}\n\n\xe4\xbd", "\xa0\xe5", "\xa5\xbd^@")),
		[]string{in12, "MESSAGE |你好", bye},
	},
	{
		"character over binary messages", overWeb,
		subscribed(asBinary("SEND\ndestination:{d}\n\n\xe4\xbd"), asBinary("\xa0\xe5\xa5\xbd^@")),
		[]string{in12, "MESSAGE |你好", bye},
	},
	{"binary messages", overWeb, []string{asBinary(connect12), asBinary(goodbye)}, []string{in12, bye}},
	{
		"text and binary mixed", overWeb,
		in(connect12, asBinary("SEND\ndestination:{d}\n"), "receipt:r\n\n", asBinary("x^@")),
		[]string{in12, "RECEIPT receipt-id:r", bye},
	},
	{"EOL alone in a message", overWeb, in(connect12, "\n", asBinary("\n"), inFragments("\r", "\n")), []string{in12, bye}},
}
