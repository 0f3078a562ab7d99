// Package scenario is what a load run is told: the Scenario (how many connections, in which rooms, who sends how
// much), the Target (how a STOMP server wants to be spoken to) and the Layout that follows (who is in which room). It
// reads both from YAML files, strictly: what it does not know is an error, so that a slip of the pen is not a
// measurement. It opens no connection. The swarm, the load generator and the bench use it.
package scenario
