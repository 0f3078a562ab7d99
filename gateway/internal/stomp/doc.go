// Package stomp reads and writes STOMP frames of the versions 1.0, 1.1 and 1.2: it turns bytes into frames and frames
// into bytes, and nothing else.
//
// It is pure: it knows no connection, no session and no destination, starts no goroutine, and imports the standard
// library only. What is legal when (CONNECT first, which headers a SUBSCRIBE needs) is decided by the session, which
// feeds a Decoder with what the transport read and writes what AppendFrame and Prepared.AppendTo made.
//
// Section names in comments are those of the specifications at https://stomp.github.io.
package stomp
