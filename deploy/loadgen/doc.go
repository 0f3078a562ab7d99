// Package loadgen measures STOMP servers under load: it plans who does what, runs workers (package swarm, each in a
// process of its own), watches the server's processes in /proc, and makes the report, as text, JSON and HTML. It starts
// no server: the bench does. cmd/loadgen and the bench call it.
package loadgen
