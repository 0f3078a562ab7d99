// Package fake holds in-memory doubles of the session's ports, for tests: a connection whose client is the test, a hub,
// a relay, presence, an authenticator. They keep the contracts of the ports strictly, so that a session which leans on
// more than a contract fails with them: a chunk is destroyed by the next Read, the hub calls sinks under its lock.
//
// All are safe for concurrent use, and work inside testing/synctest bubbles. No production code imports them.
package fake
