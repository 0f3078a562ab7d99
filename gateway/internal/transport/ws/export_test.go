package ws

// WithDefaults shows what a Handler makes of its options.
func (o Options) WithDefaults() Options { return o.withDefaults() }
