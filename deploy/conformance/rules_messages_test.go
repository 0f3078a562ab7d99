package conformance_test

const (
	ackID     = "S12 ACK: the id header MUST match the ack header of the MESSAGE"
	needsName = "S12 BEGIN: the transaction header is REQUIRED"
	atomic    = "S12 BEGIN: messages sent or acknowledged during the transaction are processed atomically"
	unknown   = "S12 COMMIT, ABORT: the identifier of a transaction that was begun"
	cumulates = "S12 SUBSCRIBE, ack client: ACK acknowledges all messages before it, too"
	single    = "S12 SUBSCRIBE, ack client-individual: ACK acknowledges one message"
	redeliver = "S12 NACK: the server can redeliver it, or hand it to somebody else"
)

var subscriptions = []rule{
	{"SEND without destination", "S12 SEND: one REQUIRED header, destination", in(connect12, "SEND\n\nx^@"), []string{in12, "ERROR"}},
	{"SUBSCRIBE without destination", "S12 SUBSCRIBE: requires destination", in(connect12, "SUBSCRIBE\nid:a\n\n^@"), []string{in12, "ERROR"}},
	{"SUBSCRIBE without id", "S12 SUBSCRIBE Header id: an id header MUST be included", in(connect12, "SUBSCRIBE\ndestination:{d}\n\n^@"), []string{in12, "ERROR"}},
	{"SUBSCRIBE without id in 1.1", "S11 SUBSCRIBE id Header: an id header MUST be included", in(connect11, "SUBSCRIBE\ndestination:{d}\n\n^@"), []string{in11, "ERROR"}},
	{
		"1.0 without id", "S10 SUBSCRIBE: destination alone",
		in(connect10, "SUBSCRIBE\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\n\nx^@"),
		[]string{in10, "MESSAGE destination:{d} |x", bye},
	},
	{
		"1.0 UNSUBSCRIBE by destination", "S10 UNSUBSCRIBE: requires either a destination or an id header",
		in(connect10, "SUBSCRIBE\ndestination:{d}\n\n^@", "UNSUBSCRIBE\ndestination:{d}\nreceipt:r\n\n^@", "SEND\ndestination:{d}\n\nx^@"),
		[]string{in10, "RECEIPT receipt-id:r", bye},
	},
	{
		"the same id twice", "S12 SUBSCRIBE Header id: different subscriptions MUST use different ids",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "SUBSCRIBE\nid:a\ndestination:{q}\n\n^@"),
		[]string{in12, "ERROR"},
	},
	{
		"an id again after UNSUBSCRIBE", "S12 UNSUBSCRIBE: removes the subscription",
		subscribed("UNSUBSCRIBE\nid:a\n\n^@", "SUBSCRIBE\nid:a\ndestination:{q}\nreceipt:r\n\n^@"),
		[]string{in12, "RECEIPT receipt-id:r", bye},
	},
	{
		"two ids on one destination", "S12 SUBSCRIBE Header id: multiple open subscriptions with a server",
		subscribed("SUBSCRIBE\nid:b\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\n\nx^@"),
		[]string{in12, "MESSAGE subscription:* |x", "MESSAGE subscription:* |x", bye},
	},
	{"UNSUBSCRIBE without id", "S12 UNSUBSCRIBE: an id header MUST be included", subscribed("UNSUBSCRIBE\ndestination:{d}\n\n^@"), []string{in12, "ERROR"}},
	{"UNSUBSCRIBE", "S12 UNSUBSCRIBE: removes the subscription", subscribed("UNSUBSCRIBE\nid:a\n\n^@", "SEND\ndestination:{d}\n\nx^@"), []string{in12, bye}},
	{"unknown ack mode", "S12 SUBSCRIBE Header ack: auto, client or client-individual", in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\nack:maybe\n\n^@"), []string{in12, "ERROR"}},
	{
		"receipts of all frames", "S12 Header receipt: any client frame other than CONNECT",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\nreceipt:1\n\n^@", "BEGIN\ntransaction:t\nreceipt:2\n\n^@",
			"ABORT\ntransaction:t\nreceipt:3\n\n^@", "BEGIN\ntransaction:t\n\n^@", "COMMIT\ntransaction:t\nreceipt:4\n\n^@",
			"UNSUBSCRIBE\nid:a\nreceipt:5\n\n^@", "SEND\ndestination:{d}\nreceipt:6\n\nx^@"),
		[]string{
			in12, "RECEIPT receipt-id:1", "RECEIPT receipt-id:2", "RECEIPT receipt-id:3", "RECEIPT receipt-id:4",
			"RECEIPT receipt-id:5", "RECEIPT receipt-id:6", bye,
		},
	},
	{
		"receipt-id with escapes", "S12 RECEIPT: receipt-id is the value of receipt",
		in(connect12, "SEND\ndestination:{d}\nreceipt:a\\cb\\\\\n\nx^@"),
		[]string{in12, "RECEIPT receipt-id:a:b\\", bye},
	},
	{"receipt of a refused frame", "S12 ERROR: SHOULD set receipt-id", in(connect12, "ACK\nid:nonsense\nreceipt:r\n\n^@"), []string{in12, "ERROR receipt-id:r message:*"}},
}

var acknowledgements = []rule{
	{
		"ack header", "S12 MESSAGE: ack, if the subscription needs explicit acknowledgment",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\nack:client\n\n^@", "SEND\ndestination:{d}\n\nx^@"),
		[]string{in12, "MESSAGE ack:*", bye},
	},
	{"no ack header", "S12 SUBSCRIBE, ack auto: the client does not need to send ACK", subscribed("SEND\ndestination:{d}\n\nx^@"), []string{in12, "MESSAGE !ack", bye}},
	{"ACK of nothing", ackID, in(connect12, "ACK\nid:nonsense\n\n^@"), []string{in12, "ERROR"}},
	{"ACK without id", ackID, in(connect12, "ACK\n\n^@"), []string{in12, "ERROR"}},
	{"NACK of nothing", "S12 NACK: the opposite of ACK, the same headers", in(connect12, "NACK\nid:nonsense\n\n^@"), []string{in12, "ERROR"}},
	{
		"ACK in 1.2", ackID,
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{q}\nack:client\n\n^@", "SEND\ndestination:{q}\n\nx^@", "ACK\nid:{ack:1}\nreceipt:r\n\n^@"),
		[]string{in12, "MESSAGE ack:* |x", "RECEIPT receipt-id:r", bye},
	},
	{
		"ACK in 1.1", "S11 ACK: REQUIRED headers message-id and subscription",
		in(connect11, "SUBSCRIBE\nid:a\ndestination:{q}\nack:client\n\n^@", "SEND\ndestination:{q}\n\nx^@", "ACK\nsubscription:a\nmessage-id:{id:1}\nreceipt:r\n\n^@"),
		[]string{in11, "MESSAGE |x", "RECEIPT receipt-id:r", bye},
	},
	{
		"ACK in 1.1 without subscription", "S11 ACK: REQUIRED headers message-id and subscription",
		in(connect11, "SUBSCRIBE\nid:a\ndestination:{q}\nack:client\n\n^@", "SEND\ndestination:{q}\n\nx^@", "ACK\nmessage-id:{id:1}\n\n^@"),
		[]string{in11, "MESSAGE |x", "ERROR"},
	},
	{
		"ACK in 1.0", "S10 ACK: required header message-id",
		in(connect10, "SUBSCRIBE\ndestination:{q}\nack:client\n\n^@", "SEND\ndestination:{q}\n\nx^@", "ACK\nmessage-id:{id:1}\nreceipt:r\n\n^@"),
		[]string{in10, "MESSAGE |x", "RECEIPT receipt-id:r", bye},
	},
	{
		"NACK in 1.0", "S10 knows no NACK",
		in(connect10, "SUBSCRIBE\ndestination:{q}\nack:client\n\n^@", "SEND\ndestination:{q}\n\nx^@", "NACK\nmessage-id:{id:1}\n\n^@"),
		[]string{in10, "MESSAGE |x", "ERROR"},
	},
	{
		"ACK of client", cumulates,
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{q}\nack:client\n\n^@", "SEND\ndestination:{q}\n\n1^@", "SEND\ndestination:{q}\n\n2^@",
			"SEND\ndestination:{q}\n\n3^@", "ACK\nid:{ack:2}\nown:{ack:3}\n\n^@", anew, connect12, "SUBSCRIBE\nid:b\ndestination:{q}\n\n^@"),
		[]string{in12, "MESSAGE |1", "MESSAGE |2", "MESSAGE |3", in12, "MESSAGE subscription:b |3", bye},
	},
	{
		"ACK of client-individual", single,
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{q}\nack:client-individual\n\n^@", "SEND\ndestination:{q}\n\n1^@", "SEND\ndestination:{q}\n\n2^@",
			"SEND\ndestination:{q}\n\n3^@", "ACK\nid:{ack:2}\nown:{ack:3}\n\n^@", anew, connect12, "SUBSCRIBE\nid:b\ndestination:{q}\n\n^@"),
		[]string{in12, "MESSAGE |1", "MESSAGE |2", "MESSAGE |3", in12, "MESSAGE subscription:b |1", "MESSAGE subscription:b |3", bye},
	},
	{
		"NACK", redeliver,
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{q}\nack:client-individual\n\n^@", "SEND\ndestination:{q}\n\nx^@",
			"NACK\nid:{ack:1}\nreceipt:r\n\n^@", "ACK\nid:{ack:2}\n\n^@"),
		[]string{in12, "MESSAGE |x", "RECEIPT receipt-id:r", "MESSAGE redelivered:true |x", bye},
	},
	{
		"DISCONNECT without ACK", "S12 SUBSCRIBE, ack client: what is not acknowledged counts as not processed",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{q}\nack:client\n\n^@", "SEND\ndestination:{q}\n\nx^@",
			"SEND\ndestination:{d}\nown:{ack:1}\n\n^@", anew, connect12, "SUBSCRIBE\nid:b\ndestination:{q}\n\n^@"),
		[]string{in12, "MESSAGE subscription:a |x", in12, "MESSAGE subscription:b |x", bye},
	},
}

var transactions = []rule{
	{"BEGIN without name", needsName, in(connect12, "BEGIN\n\n^@"), []string{in12, "ERROR"}},
	{"BEGIN twice", "S12 BEGIN: different transactions MUST use different identifiers", in(connect12, "BEGIN\ntransaction:t\n\n^@", "BEGIN\ntransaction:t\n\n^@"), []string{in12, "ERROR"}},
	{"COMMIT of nothing", unknown, in(connect12, "COMMIT\ntransaction:t\n\n^@"), []string{in12, "ERROR"}},
	{"COMMIT twice", unknown, in(connect12, "BEGIN\ntransaction:t\n\n^@", "COMMIT\ntransaction:t\n\n^@", "COMMIT\ntransaction:t\n\n^@"), []string{in12, "ERROR"}},
	{"COMMIT without name", "S12 COMMIT: the transaction header is REQUIRED", in(connect12, "COMMIT\n\n^@"), []string{in12, "ERROR"}},
	{"ABORT of nothing", unknown, in(connect12, "ABORT\ntransaction:t\n\n^@"), []string{in12, "ERROR"}},
	{"SEND in no transaction", "S12 BEGIN: frames bound to a transaction that was begun", in(connect12, "SEND\ndestination:{d}\ntransaction:t\n\nx^@"), []string{in12, "ERROR"}},
	{
		"ACK in no transaction", "S12 ACK: the transaction header names one that was begun",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\nack:client\n\n^@", "SEND\ndestination:{d}\n\nx^@", "ACK\nid:{ack:1}\ntransaction:t\n\n^@"),
		[]string{in12, "MESSAGE |x", "ERROR"},
	},
	{
		"COMMIT in order", atomic,
		subscribed("BEGIN\ntransaction:t\n\n^@", "SEND\ndestination:{d}\ntransaction:t\n\n1^@",
			"SEND\ndestination:{d}\ntransaction:t\n\n2^@", "SEND\ndestination:{d}\n\n0^@", "COMMIT\ntransaction:t\n\n^@"),
		[]string{in12, "MESSAGE |0", "MESSAGE |1", "MESSAGE |2", bye},
	},
	{
		"ABORT", "S12 ABORT: rolls back the transaction",
		subscribed("BEGIN\ntransaction:t\n\n^@", "SEND\ndestination:{d}\ntransaction:t\n\n1^@", "ABORT\ntransaction:t\n\n^@", "SEND\ndestination:{d}\n\n2^@"),
		[]string{in12, "MESSAGE |2", bye},
	},
	{
		"two transactions", atomic,
		subscribed("BEGIN\ntransaction:t\n\n^@", "BEGIN\ntransaction:u\n\n^@", "SEND\ndestination:{d}\ntransaction:t\n\nt^@",
			"SEND\ndestination:{d}\ntransaction:u\n\nu^@", "COMMIT\ntransaction:u\n\n^@", "COMMIT\ntransaction:t\n\n^@"),
		[]string{in12, "MESSAGE |u", "MESSAGE |t", bye},
	},
	{
		"ACK in a transaction that is aborted", atomic,
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{q}\nack:client\n\n^@", "SEND\ndestination:{q}\n\nx^@", "BEGIN\ntransaction:t\n\n^@",
			"ACK\nid:{ack:1}\ntransaction:t\n\n^@", "ABORT\ntransaction:t\n\n^@", anew, connect12, "SUBSCRIBE\nid:b\ndestination:{q}\n\n^@"),
		[]string{in12, "MESSAGE subscription:a |x", in12, "MESSAGE subscription:b |x", bye},
	},
	{
		"DISCONNECT before COMMIT", "S12 BEGIN, DISCONNECT: a transaction is aborted if the client disconnects before it is committed",
		in(connect12, "BEGIN\ntransaction:t\n\n^@", "SEND\ndestination:{q}\ntransaction:t\n\n1^@", anew, connect12,
			"SEND\ndestination:{q}\n\n2^@", "SUBSCRIBE\nid:b\ndestination:{q}\n\n^@"),
		[]string{in12, in12, "MESSAGE |2", bye},
	},
}
