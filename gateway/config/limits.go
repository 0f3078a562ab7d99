package config

import "time"

// Limits bound what one client may cost.
type Limits struct {
	BodyBytes       int           `env:"BODY_BYTES"`        // of one STOMP frame
	Headers         int           `env:"HEADERS"`           // header lines of one STOMP frame
	HeaderLineBytes int           `env:"HEADER_LINE_BYTES"` // of one of them
	SendQueueBytes  int           `env:"SEND_QUEUE_BYTES"`  // of one session; a client that lets it fill is closed with 1013
	Subscriptions   int           `env:"SUBSCRIPTIONS"`     // of one session
	HeartBeat       time.Duration `env:"HEART_BEAT"`        // what the server offers and wants; 0: none
	DrainTime       time.Duration `env:"DRAIN_TIME"`        // within which a leaving gateway closes its sessions, one by one
	DrainGrace      time.Duration `env:"DRAIN_GRACE"`       // before that, for load balancers to see that it is not ready
	RecentBytes     int           `env:"RECENT_BYTES"`      // of the newest events, kept for clients that come back

	PreAuth      PreAuth      `envPrefix:"PRE_AUTH_"`
	Transactions Transactions `envPrefix:"TRANSACTION"`

	// At the same time, on one gateway; 0: any number.
	Connections           int `env:"CONNECTIONS"`
	ConnectionsPerUser    int `env:"CONNECTIONS_PER_USER"`
	ConnectionsPerAddress int `env:"CONNECTIONS_PER_ADDRESS"`
	// SocketBuffer is how many bytes the kernel holds for a client that does not read; 0: as the system does, which
	// may be megabytes. The kernel doubles the number for its own book-keeping.
	SocketBuffer int `env:"SOCKET_BUFFER"`
}

// PreAuth is what a client may spend before its CONNECT is complete.
type PreAuth struct {
	StrangerBytes int           `env:"BYTES"`
	StrangerTime  time.Duration `env:"TIME"` // from the upgrade on
}

// Transactions bound what one session may keep for a COMMIT.
type Transactions struct {
	Open              int `env:"S"` // at the same time
	TransactionFrames int `env:"_FRAMES"`
	TransactionBytes  int `env:"_BYTES"` // of their bodies
}

func defaultLimits() Limits {
	return Limits{
		BodyBytes: 64 << 10, Headers: 100, HeaderLineBytes: 8 << 10, SendQueueBytes: 512 << 10, Subscriptions: 128,
		HeartBeat: 10 * time.Second, DrainTime: 10 * time.Second, DrainGrace: 2 * time.Second,
		RecentBytes:  64 << 20,
		PreAuth:      PreAuth{StrangerBytes: 8 << 10, StrangerTime: 10 * time.Second},
		Transactions: Transactions{Open: 8, TransactionFrames: 100, TransactionBytes: 256 << 10},
		Connections:  18_000, ConnectionsPerUser: 50, ConnectionsPerAddress: 2_000, SocketBuffer: 128 << 10,
	}
}

func (l *Limits) validate(fault func(variable, format string, args ...any)) {
	number := func(variable string, value, least, most int) {
		if value < least || value > most {
			fault("LIMIT_"+variable, "%d is not between %d and %d", value, least, most)
		}
	}
	duration := func(variable string, value, least, most time.Duration) {
		if value < least || value > most {
			fault("LIMIT_"+variable, "%v is not between %v and %v", value, least, most)
		}
	}
	number("BODY_BYTES", l.BodyBytes, 1<<10, 1<<20)
	number("HEADERS", l.Headers, 10, 1_000)
	number("HEADER_LINE_BYTES", l.HeaderLineBytes, 1<<10, 64<<10)
	number("SEND_QUEUE_BYTES", l.SendQueueBytes, 16<<10, 64<<20)
	number("SUBSCRIPTIONS", l.Subscriptions, 1, 10_000)
	number("PRE_AUTH_BYTES", l.PreAuth.StrangerBytes, 1<<10, 64<<10)
	duration("PRE_AUTH_TIME", l.PreAuth.StrangerTime, time.Second, time.Minute)
	number("TRANSACTIONS", l.Transactions.Open, 1, 100)
	number("TRANSACTION_FRAMES", l.Transactions.TransactionFrames, 1, 10_000)
	number("TRANSACTION_BYTES", l.Transactions.TransactionBytes, 1<<10, 16<<20)
	number("CONNECTIONS", l.Connections, 0, 1_000_000)
	number("CONNECTIONS_PER_USER", l.ConnectionsPerUser, 0, 1_000_000)
	number("CONNECTIONS_PER_ADDRESS", l.ConnectionsPerAddress, 0, 1_000_000)
	if l.SocketBuffer != 0 {
		number("SOCKET_BUFFER", l.SocketBuffer, 4<<10, 16<<20)
	}
	if l.HeartBeat != 0 {
		duration("HEART_BEAT", l.HeartBeat, time.Second, 10*time.Minute)
	}
	number("RECENT_BYTES", l.RecentBytes, 1<<20, 16<<30)
	duration("DRAIN_GRACE", l.DrainGrace, 0, time.Minute)
	duration("DRAIN_TIME", l.DrainTime, 0, 10*time.Minute)
}
