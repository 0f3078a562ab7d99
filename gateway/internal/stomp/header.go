package stomp

const (
	// contentLength is the one header that the codec itself reads and writes.
	contentLength = "content-length"
	// receipt is the header looked at in frames that are refused, so that the ERROR can name it.
	receipt = "receipt"
)

// Field is one header line.
type Field struct{ Key, Value string }

// Header holds the header lines of a frame in their order. Where a key is repeated the first one counts (STOMP 1.2,
// "Repeated Header Entries"); the others stay in the list and are never looked at.
type Header []Field

// Get returns the value of the first field with this key, or "".
func (h Header) Get(key string) string {
	value, _ := h.Lookup(key)
	return value
}

// Lookup is Get for those who must tell an empty value from none. Keys are case-sensitive.
func (h Header) Lookup(key string) (string, bool) {
	for i := range h {
		if h[i].Key == key {
			return h[i].Value, true
		}
	}
	return "", false
}
