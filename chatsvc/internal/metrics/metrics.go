// Package metrics names every metric of the chat service, in this one file, so that a dashboard and the code cannot
// drift apart. It measures nothing itself: the packages that do get their part of it (Counter, Post, Scribe) from the
// facade. It holds no logic and knows none of their types.
package metrics

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the metrics of one chat service, by the part of the house that moves them.
type Metrics struct {
	Counter Counter
	Post    Post
	Scribe  Scribe
}

// Counter is what package rpc counts.
type Counter struct {
	// Calls counts finished calls by full method and gRPC code.
	Calls *prometheus.CounterVec
	// Seconds is how long unary calls took, by full method.
	Seconds *prometheus.HistogramVec
	// Panics counts panics that were turned into INTERNAL.
	Panics prometheus.Counter
	// RelayStreams is how many relay streams are open.
	RelayStreams prometheus.Gauge
	// RelayResults counts answered relay commands by outcome: OK, or the code of the refusal.
	RelayResults *prometheus.CounterVec
	// RelayInFlight is how many relay commands wait for their result.
	RelayInFlight prometheus.Gauge
	// RelayMarksFailed counts read marks and typing notices that were lost after the sends of their command had been
	// stored.
	RelayMarksFailed prometheus.Counter
}

// Post is what package publish counts.
type Post struct {
	// Sent counts NATS messages handed to the connection, by kind: envelope, copy, heads.
	Sent *prometheus.CounterVec
	// Dropped counts events and digests that did not reach NATS, by reason: queue_full, disconnected, too_large,
	// encode, error, heads_full. Gateways learn of lost events from the digest.
	Dropped *prometheus.CounterVec
	// Queued is how many events wait for the publishing goroutine.
	Queued prometheus.Gauge
	// HeadsTracked is how many changed logs the digest still has to name.
	HeadsTracked prometheus.Gauge
	// HeadsFound counts heads that only the store told of: what other replicas stored, and what nobody published.
	HeadsFound prometheus.Counter
	// LooksFailed counts questions about changed logs that the store did not answer.
	LooksFailed prometheus.Counter
	// Connected is 1 while NATS is connected.
	Connected prometheus.Gauge
}

// Scribe is what package commit counts.
type Scribe struct {
	// BatchSize is how many drafts a transaction stored.
	BatchSize prometheus.Histogram
	// BatchSeconds is how long a transaction took.
	BatchSeconds prometheus.Histogram
	// Refused counts drafts that were not stored, by code.
	Refused *prometheus.CounterVec
}

const namespace = "fliliy_chatsvc"

// New makes the metrics and registers them. It panics when the registerer holds them already, as two services of one
// process must not share a registerer.
func New(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{Counter: newCounter(), Post: newPost(), Scribe: newScribe()}
	registerer.MustRegister(
		m.Counter.Calls, m.Counter.Seconds, m.Counter.Panics, m.Counter.RelayStreams, m.Counter.RelayResults,
		m.Counter.RelayInFlight, m.Counter.RelayMarksFailed,
		m.Post.Sent, m.Post.Dropped, m.Post.Queued, m.Post.HeadsTracked, m.Post.HeadsFound,
		m.Post.LooksFailed, m.Post.Connected,
		m.Scribe.BatchSize, m.Scribe.BatchSeconds, m.Scribe.Refused,
	)
	return m
}

func newCounter() Counter {
	return Counter{
		Calls:            counters("rpc_calls_total", "Finished gRPC calls.", "method", "code"),
		Seconds:          timings("rpc_seconds", "Duration of unary gRPC calls.", "method"),
		Panics:           counter("rpc_panics_total", "Panics turned into INTERNAL."),
		RelayStreams:     gauge("relay_streams", "Open relay streams."),
		RelayResults:     counters("relay_results_total", "Answered relay commands.", "code"),
		RelayInFlight:    gauge("relay_in_flight", "Relay commands waiting for their result."),
		RelayMarksFailed: counter("relay_marks_failed_total", "Marks lost after the sends of their command were stored."),
	}
}

func newPost() Post {
	return Post{
		Sent:         counters("publish_sent_total", "NATS messages published.", "kind"),
		Dropped:      counters("publish_dropped_total", "Events and digests that did not reach NATS.", "reason"),
		Queued:       gauge("publish_queued", "Events waiting to be published."),
		HeadsTracked: gauge("publish_heads_tracked", "Changed logs the heads digest still has to name."),
		HeadsFound:   counter("publish_heads_found_total", "Heads that only the store told of."),
		LooksFailed:  counter("publish_looks_failed_total", "Questions about changed logs that the store did not answer."),
		Connected:    gauge("nats_connected", "1 while NATS is connected."),
	}
}

func newScribe() Scribe {
	return Scribe{
		BatchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "commit_batch_size", Help: "Drafts stored by one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9), // 1 to 256
		}),
		BatchSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "commit_batch_seconds", Help: "Duration of one transaction.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14), // 0.5 ms to 4 s
		}),
		Refused: counters("commit_refused_total", "Drafts that were not stored.", "code"),
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func timings(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help,
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14), // 0.5 ms to 4 s
	}, labels)
}
