package postgres

// LookupsOnly are the planner settings of every connection.
var LookupsOnly = lookupsOnly

// Revisions are the statements by which revisions are read and written, under the lock of their log: the types of their
// arguments, and some values.
var Revisions = map[string]struct{ SQL, Arguments, Values string }{
	"readTargets": {readTargets, "bigint[], bigint[]", "'{1}', '{1}'"},
	"reviseMessages": {
		reviseMessages, "bigint[], bigint[], text[], bigint[], boolean[], bigint[], timestamptz",
		"'{1}', '{1}', '{x}', '{2}', '{t}', '{0}', '2026-11-23'",
	},
	"blankEdits": {blankEdits, "bigint, bigint, bigint", "1, 1, 2"},
}
