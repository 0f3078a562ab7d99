// Package proto is the contract between the services: the protobuf files of fliliy.chat.v1 with their generated Go
// (gen/go), the OpenAPI description of the REST paths (gen/openapi), NATS subjects and the identity of callers. It
// imports nothing of ours; gateway, chatsvc and deploy import it.
package proto
