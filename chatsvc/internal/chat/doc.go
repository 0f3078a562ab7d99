// Package chat is the rules of the chat: what rooms, members, messages and marks are, who may do what, and what
// happens when somebody does it. Package rpc calls its use cases; stores, the scribe and the publisher implement
// its ports.
//
// It knows no gRPC, no SQL and no NATS, and imports the standard library only. Whatever is wrong with a request is an
// *Error with a code of the contract; any other error is a fault of the service, and its text is not for clients.
package chat
