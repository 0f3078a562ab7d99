package hub

// Kept says how many bytes the hub accounts for in memories and in holds.
func (h *Hub) Kept() (remembered, held int64) { return h.cache.used.Load(), h.held.used.Load() }
