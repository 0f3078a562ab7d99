// Package swarm is one worker of a load run: thousands of STOMP clients on one goroutine, over package sockets. It
// connects and subscribes them, makes them send as the scenario says, and keeps account: latencies, and for every
// subscription and sender which messages came, so that a lost, doubled or reordered one is counted as such. The load
// generator runs it in a process of its own, by lines of JSON (Serve); the machine's clock is the same for all.
//
// It is no client library and no conformance test: it reads no more of a frame than it has to.
package swarm
