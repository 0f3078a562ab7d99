package conformance_test

import "strings"

// The rules follow the specification's chapters. Each is about the standard alone, so that any server can be held to it.

// with is a CONNECT with one more header line.
func with(connect, line string) string { return strings.Replace(connect, "\n\n", "\n"+line+"\n\n", 1) }

// asking is a CONNECT of versions.
func asking(versions string) string { return strings.Replace(connect12, "1.2", versions, 1) }

var connecting = []rule{
	{"CONNECT", "S12 Connecting: the server responds with CONNECTED", in(connect12), []string{in12, bye}},
	{"receipt of DISCONNECT", "S12 DISCONNECT: the client waits for the RECEIPT response", in(connect12), []string{in12, bye}},
	{
		"STOMP", "S12 CONNECT or STOMP Frame: servers MUST handle a STOMP frame in the same manner as CONNECT",
		in(strings.Replace(connect12, "CONNECT", "STOMP", 1)),
		[]string{in12, bye},
	},
	{
		"STOMP in 1.1", "S11 STOMP: servers MUST accept it as CONNECT",
		in(strings.Replace(connect11, "CONNECT", "STOMP", 1)),
		[]string{in11, bye},
	},
	{
		"no CONNECT", "S12 Connecting: a client initiates by sending the CONNECT frame",
		[]string{"SEND\ndestination:{d}\n\nx^@"},
		[]string{"ERROR"},
	},
	{"second CONNECT", "S12 Connecting: CONNECT initiates the stream, so that a session has one", in(connect12, connect12), []string{in12, "ERROR"}},
	{
		"no accept-version", "S12 Protocol Negotiation: if the header is missing, version 1.0 is assumed",
		in(connect10),
		[]string{in10, bye},
	},
	{
		"highest common version", "S12 Protocol Negotiation: the highest version both have in common",
		in(asking("1.0,1.1,9.9")),
		[]string{in11, bye},
	},
	{"versions in any order", "S12 Protocol Negotiation: the highest version both have in common", in(asking("1.0,1.2,1.1")), []string{in12, bye}},
	{
		"no common version", "S12 Protocol Negotiation: MUST respond with an ERROR frame and then close",
		[]string{asking("9.9")},
		[]string{"ERROR version:*"},
	},
	{"bad passcode", "S12 CONNECT: login and passcode secure the server", []string{strings.Replace(connect12, "passcode:guest", "passcode:no", 1)}, []string{"ERROR"}},
	{"receipt of CONNECT", "S12 Header receipt: any client frame other than CONNECT", in(with(connect12, "receipt:c")), []string{in12, bye}},
	{"escapes in CONNECT", "S12 Value Encoding: all frames except CONNECT and CONNECTED", in(with(connect12, "own:a\\tb\\")), []string{in12, bye}},
	{"EOLs before CONNECT", "S12 Augmented BNF: EOLs between frames", in("\n\r\n\n" + connect12), []string{in12, bye}},
}

var heartBeatHeaders = []rule{
	{"heart-beat without comma", "S12 Heart-beating: two positive integers separated by a comma", []string{with(connect12, "heart-beat:1")}, []string{"ERROR"}},
	{"heart-beat of letters", "S12 Heart-beating: two positive integers separated by a comma", []string{with(connect12, "heart-beat:a,b")}, []string{"ERROR"}},
	{"heart-beat below zero", "S12 Heart-beating: two positive integers separated by a comma", []string{with(connect12, "heart-beat:-1,0")}, []string{"ERROR"}},
	{"heart-beat of three", "S12 Heart-beating: two positive integers separated by a comma", []string{with(connect12, "heart-beat:0,0,0")}, []string{"ERROR"}},
	{"heart-beat of nothing", "S12 Heart-beating: two positive integers separated by a comma", []string{with(connect12, "heart-beat:")}, []string{"ERROR"}},
	{"heart-beat is answered", "S12 Heart-beating: the server's numbers stand in CONNECTED", in(with(connect12, "heart-beat:0,0")), []string{"CONNECTED heart-beat:*", bye}},
	{"no heart-beat", "S12 Heart-beating: a missing header is treated as 0,0", in(connect12), []string{in12, bye}},
}

var endings = []rule{
	{"DISCONNECT without receipt", "S12 DISCONNECT: a client can disconnect at any time", []string{connect12, "DISCONNECT\n\n^@"}, []string{in12}},
	{
		"after DISCONNECT", "S12 DISCONNECT: clients MUST NOT send any more frames",
		[]string{connect12, goodbye, "SHOUT\n\n^@"},
		[]string{in12, bye},
	},
	{
		"receipts before DISCONNECT", "S12 DISCONNECT: so as to be assured that all previous frames were received",
		in(connect12, "SEND\ndestination:{d}\nreceipt:1\n\nx^@", "SEND\ndestination:{d}\nreceipt:2\n\nx^@"),
		[]string{in12, "RECEIPT receipt-id:1", "RECEIPT receipt-id:2", bye},
	},
}
