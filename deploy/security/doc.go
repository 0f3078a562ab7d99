// Package security holds what shuts strangers out to its proofs. THREATS.md says, threat by threat, what closes it and
// which tests show that; the files in locks say, check by check, which test must fail when the check is taken out of
// the source. It holds no check itself: those stand where they act. `make locks` (command locks) takes every lock off,
// one at a time, with the go command's -overlay, so that no source is touched; the cheap half, that every text is still
// there and every test still exists, runs with the other tests.
package security
