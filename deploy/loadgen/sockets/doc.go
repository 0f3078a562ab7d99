// Package sockets is the client side of many WebSockets on one goroutine: epoll, raw non-blocking sockets and one read
// buffer for all of them, so that a message costs neither an allocation nor a switch between goroutines. It checks the
// server's frames only as far as it has to in order to read them: the gateway's own tests do the rest. It knows no
// STOMP. The swarm of the load generator is its only user.
//
// A Loop needs Linux; elsewhere New says so.
package sockets
