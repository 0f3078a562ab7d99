package sockjs

// ParseMessages and AppendQuoted are for tests of what strangers can send and what browsers must not get to see.
var (
	ParseMessages = parseMessages
	AppendQuoted  = appendQuoted
)
