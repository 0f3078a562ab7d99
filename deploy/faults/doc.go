// Package faults breaks the whole system on purpose and proves that its promises hold (DESIGN, "The log"): real
// processes and a nemesis that kills, freezes and cuts them off; clients on the wire that send with receipts and resume
// by last-seq; a History of all that clients did and saw; and Check, which compares that with what the store holds in
// the end. Only deploy's tests and cmd/faults use it. It is no load generator: it counts faults, not messages a second.
//
// A run works like this: clients record into one History; when the nemesis is done and all have caught up, Check reads
// the History and the store's rows and returns a Report. Everything that is random comes from a seed.
package faults
