package stomp

// The commands. They are case-sensitive. STOMP is CONNECT by another name, in all versions.
const (
	CmdConnect     = "CONNECT"
	CmdStomp       = "STOMP"
	CmdConnected   = "CONNECTED"
	CmdSend        = "SEND"
	CmdSubscribe   = "SUBSCRIBE"
	CmdUnsubscribe = "UNSUBSCRIBE"
	CmdAck         = "ACK"
	CmdNack        = "NACK"
	CmdBegin       = "BEGIN"
	CmdCommit      = "COMMIT"
	CmdAbort       = "ABORT"
	CmdDisconnect  = "DISCONNECT"
	CmdMessage     = "MESSAGE"
	CmdReceipt     = "RECEIPT"
	CmdError       = "ERROR"
)

// longestCommand is the length of UNSUBSCRIBE.
const longestCommand = len(CmdUnsubscribe)

// What stands between the parts of a frame.
var (
	colon          = []byte(":")
	lineFeed       = []byte("\n")
	carriageReturn = []byte("\r")
)

// Frame is one STOMP frame. Header values are plain: escaping happens on the wire only.
type Frame struct {
	Command string // one of the Cmd constants
	Header  Header
	Body    []byte
}

// commandOf returns the constant for a command line, or "". It does not allocate.
func commandOf(line []byte) string {
	switch string(line) {
	case CmdSend:
		return CmdSend
	case CmdMessage:
		return CmdMessage
	case CmdSubscribe:
		return CmdSubscribe
	case CmdUnsubscribe:
		return CmdUnsubscribe
	case CmdAck:
		return CmdAck
	case CmdNack:
		return CmdNack
	case CmdReceipt:
		return CmdReceipt
	case CmdConnect:
		return CmdConnect
	case CmdStomp:
		return CmdStomp
	case CmdConnected:
		return CmdConnected
	case CmdDisconnect:
		return CmdDisconnect
	case CmdBegin:
		return CmdBegin
	case CmdCommit:
		return CmdCommit
	case CmdAbort:
		return CmdAbort
	case CmdError:
		return CmdError
	}
	return ""
}

// mayHaveBody: "Only the SEND, MESSAGE, and ERROR frames MAY have a body" (STOMP 1.1 and 1.2, "Body").
func mayHaveBody(command string) bool {
	return command == CmdSend || command == CmdMessage || command == CmdError
}

// isEscaped: CONNECT and CONNECTED carry their headers as they are, in every version, so that they stay readable
// for 1.0 (STOMP 1.2, "Value Encoding").
func isEscaped(command string) bool {
	return command != CmdConnect && command != CmdStomp && command != CmdConnected
}
