// Package fleet runs the system's programs as processes on this machine: it builds them, gives them loopback addresses
// of their own, starts, signals and kills them, and asks their admin servers; and it starts RabbitMQ, to compare with. It
// knows no load, no fault and no client: packages faults and bench put clusters together from it, and package conformance
// takes its RabbitMQ. Only they use it.
package fleet
