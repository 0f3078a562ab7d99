// Package bench measures the whole system against its bars: real PostgreSQL (fsync and synchronous_commit on), Redis,
// nats-server, gateways and chatsvcs as processes of this machine, nothing between them, and the load generator beside
// them. A Row is a scenario with the figures that count; it is run several times, each on a fresh system, and the
// medians are reported. The same rows can be run against RabbitMQ in turn with us. cmd/bench calls it; the figures as
// measured are in results/.
package bench
