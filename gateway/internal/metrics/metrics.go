// Package metrics names every Prometheus metric of the gateway, in one file, so that dashboards and alerts have one
// place to look at. It counts nothing by itself: the packages that do the work receive a *Metrics and count.
//
// Label values come from fixed sets only (see Family): nothing that a client sends can become a label, so the number
// of time series is bounded, whatever arrives.
package metrics

import "github.com/prometheus/client_golang/prometheus"

// The label values of FramesIn: the client commands of STOMP. Heart-beats are no frames.
var commands = []string{
	"CONNECT", "STOMP", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT",
}

// The label values of Refused: the codes of the contract (event.Code).
var codes = []string{
	"UNAUTHENTICATED", "TOKEN_EXPIRED", "FORBIDDEN", "INVALID", "TOO_LARGE", "RATE_LIMITED", "SLOW_CONSUMER",
	"UNAVAILABLE", "INTERNAL",
}

// Reasons for HubDropped.
const (
	DropOld          = "old"          // not newer than what was delivered: a repeat
	DropHoldFull     = "hold_full"    // ahead of a hole, and the hold buffer is full; the repair brings it
	DropUninterested = "uninterested" // nobody on this node listens to its log any more
	DropCovered      = "covered"      // a live copy for a session that follows the room itself
	DropPhantom      = "phantom"      // beyond the end of its log, as the chat service says again and again
)

var dropReasons = []string{DropOld, DropHoldFull, DropUninterested, DropCovered, DropPhantom}

// Sources for HubReplays.
const (
	ReplayMemory  = "memory"  // the newest events that this gateway keeps
	ReplayService = "service" // chatsvc
)

var replaySources = []string{ReplayMemory, ReplayService}

// Outcomes for Carried.
const (
	CarryAnswered    = "answered"
	CarryBrokenOff   = "broken_off"  // by the client
	CarryUnreachable = "unreachable" // the gateway that holds the session is gone
)

var carryOutcomes = []string{CarryAnswered, CarryBrokenOff, CarryUnreachable}

// The label values of StateDropped: the kinds of events that a slow client may miss (event.Kind).
var stateKinds = []string{"TYPING", "READ", "DELIVERED", "USER_STATUS"}

// The label values of PresenceChanges: what a user can be.
var presenceStatuses = []string{"online", "away", "busy", "offline"}

// Outcomes for Tickets.
const (
	TicketIssued  = "issued"
	TicketUsed    = "used"
	TicketRefused = "refused" // unknown, used before, too old, or none at all
	TicketAway    = "away"    // Redis could not be asked
)

var ticketOutcomes = []string{TicketIssued, TicketUsed, TicketRefused, TicketAway}

// Reasons for Limited that are not of package limit: what a client is, asks for or holds.
const (
	LimitOrigin          = "origin"           // a page of another site
	LimitPreAuthBytes    = "pre_auth_bytes"   // no complete CONNECT within its bytes
	LimitPreAuthTime     = "pre_auth_time"    // none in time
	LimitSubscriptions   = "subscriptions"    // of a session
	LimitTransactions    = "transactions"     // open ones of a session
	LimitTransactionSize = "transaction_size" // frames or bytes of one
	LimitMessage         = "message"          // a message of the transport, too large
	LimitPings           = "pings"            // control frames of WebSocket, too many
	LimitFrames          = "frames"           // frames of messages with hardly anything in them, too many
)

// The label values of Limited: whose limit, of what (package limit); limits of frames (stomp.Limit); those above.
var limitReasons = []string{
	LimitOrigin, LimitPreAuthBytes, LimitPreAuthTime, LimitSubscriptions, LimitTransactions, LimitTransactionSize,
	LimitMessage, LimitPings, LimitFrames, "body", "headers", "header_line",
	"connections", "address_connections", "user_connections", "abuse",
	"session_send", "session_subscribe", "user_connect", "user_send", "user_subscribe", "user_request",
	"room_send", "address_connect", "address_send", "address_subscribe", "address_request", "address_bad_token",
}

// The label values of CertificateLoads: what came of reading a TLS certificate that had changed (package certificate).
var certificateLoads = []string{"loaded", "failed"}

// Metrics are the gateway's metrics. All are safe for concurrent use and cost an atomic addition. Names are
// fliliy_gateway_ and the snake case of the field, counters with _total.
type Metrics struct {
	Connections   prometheus.Gauge   // open transport connections
	SessionsTotal prometheus.Counter // sessions that reached CONNECTED
	FramesIn      Family             // by STOMP command
	MessagesOut   prometheus.Counter // MESSAGE frames handed to transports
	BytesOut      prometheus.Counter // bytes handed to transports
	Refused       Family             // refusals, by code of the contract
	SlowConsumers prometheus.Counter // sessions closed because their send queue was full
	Limited       Family             // refusals by limits of rate or number, by whose limit of what
	Tickets       Family             // one-time tickets, by outcome (the Ticket constants)
	StateDropped  Family             // state events not queued for slow clients, by kind

	HubHoles   prometheus.Counter // holes in a log's seq that the hub met
	HubRepairs prometheus.Counter // reads of logs that filled holes
	HubDropped Family             // events the hub did not deliver, by reason (the Drop constants)
	HubReplays Family             // resumed subscriptions, by source of what they missed (the Replay constants)

	FaninEnvelopes prometheus.Counter // envelopes taken from NATS
	FaninBad       prometheus.Counter // of these, unreadable ones, dropped

	SockJSSessions prometheus.Gauge // SockJS sessions over HTTP requests that live here
	Carried        Family           // requests of such sessions carried to other gateways, by outcome (the Carry constants)

	RelayCommands prometheus.Counter // commands sent to chatsvc
	RelayInFlight prometheus.Gauge   // commands without an answer yet

	PresenceChanges Family // changes of users' statuses that this gateway told, by the new status

	CertificateLoads   Family           // TLS certificates read from changed files, by what came of it
	CertificateExpires prometheus.Gauge // when the TLS certificate in use ends, in seconds of Unix time; 0: there is none
}

// New makes the metrics and registers them. It panics when one is registered already, which is a programming error:
// one registerer serves one gateway.
func New(registerer prometheus.Registerer) *Metrics {
	r := register{registerer}
	return &Metrics{
		Connections:   r.gauge("connections", "Open transport connections."),
		SessionsTotal: r.counter("sessions_total", "Sessions that reached CONNECTED."),
		FramesIn:      r.family("frames_in_total", "STOMP frames of clients, by command.", "command", commands),
		MessagesOut:   r.counter("messages_out_total", "MESSAGE frames handed to transports."),
		BytesOut:      r.counter("bytes_out_total", "Bytes handed to transports."),
		Refused:       r.family("refused_total", "Refusals, by code of the contract.", "code", codes),
		SlowConsumers: r.counter("slow_consumers_total", "Sessions closed because their send queue was full."),
		Limited:       r.family("limited_total", "Refusals by a limit of rate or number, by reason.", "reason", limitReasons),
		Tickets:       r.family("tickets_total", "One-time tickets, by outcome.", "outcome", ticketOutcomes),
		StateDropped:  r.family("state_dropped_total", "State events not sent to slow clients, by kind.", "kind", stateKinds),

		HubHoles:   r.counter("hub_holes_total", "Holes in the seq of a log that the hub met."),
		HubRepairs: r.counter("hub_repairs_total", "Reads of a log that filled a hole."),
		HubDropped: r.family("hub_dropped_total", "Events not delivered, by reason.", "reason", dropReasons),
		HubReplays: r.family("hub_replays_total", "Resumed subscriptions, by source.", "source", replaySources),

		FaninEnvelopes: r.counter("fanin_envelopes_total", "Envelopes taken from NATS."),
		FaninBad:       r.counter("fanin_bad_total", "Unreadable envelopes, dropped."),

		SockJSSessions: r.gauge("sockjs_sessions", "SockJS sessions over HTTP requests that live here."),
		Carried: r.family("carried_total", "SockJS requests carried to other gateways, by outcome.", "outcome",
			carryOutcomes),

		RelayCommands: r.counter("relay_commands_total", "Commands sent to chatsvc."),
		RelayInFlight: r.gauge("relay_in_flight", "Commands that chatsvc has not answered yet."),

		PresenceChanges: r.family("presence_changes_total", "Changes of users' statuses told, by status.",
			"status", presenceStatuses),

		CertificateLoads: r.family("certificate_loads_total", "TLS certificates read from changed files, by result.",
			"result", certificateLoads),
		CertificateExpires: r.gauge("certificate_expires", "End of the TLS certificate in use, in Unix seconds; 0: none."),
	}
}
