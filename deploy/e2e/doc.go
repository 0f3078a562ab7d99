// Package e2e tests the whole system from outside, on the wire: stock STOMP clients, plain WebSockets, HTTP, a real
// browser. Every test runs on two stages: the embedded one (`make run`: SQLite, embedded Redis and NATS) and the real
// one (PostgreSQL, redis-server, nats-server). It holds tests only; make calls it.
package e2e
