package loadgen

// What the tests look into.
var (
	Percent = percentiles
	Look    = Processes.look
)
