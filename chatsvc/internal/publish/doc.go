// Package publish is the post office: after the commit it tells gateways, over NATS, what is stored, and every second
// which logs have changed lately. It implements chat.Publisher; the scribe and the use cases call it through that port.
// It stores nothing, decides nothing and answers nobody; of the store it asks which logs changed (Changes).
//
// # A hint, never the truth
//
// NATS delivers at most once, and this package makes no more of it: Publish never waits for the network and never
// fails. What cannot be sent (NATS away, the queue full) is counted and forgotten; nothing is buffered for later, as
// a gateway gets what it missed from the store, in order, sooner than a backlog would come. What tells it that it
// missed something is the digest.
//
// # The heads digest
//
// A changed log is named in several digests in a row, so that one lost digest is harmless. A digest counts only when
// the NATS server has confirmed, by a round trip behind it, that it was taken in. While NATS is away, or a black
// hole, none is confirmed: the logs that change in the meantime wait and are all named after the reconnect, as often
// as any other.
//
// A process that is killed between commit and publish names nothing any more, and one that is cut off from NATS is not
// heard. So every replica asks the store, twice a second, which logs changed lately, and names at once those that Publish
// was not told of. At its start it goes further back, to what was stored before anybody was there to tell.
package publish
