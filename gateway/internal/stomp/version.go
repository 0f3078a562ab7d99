package stomp

import "strings"

// Version is a version of the protocol. The zero value means that none has been negotiated yet.
type Version uint8

// The versions, in rising order.
const (
	V10 Version = iota + 1
	V11
	V12
)

// Versions lists what Negotiate can choose, as the "version" header of an ERROR frame names it.
const Versions = "1.0,1.1,1.2"

// String is the version as it stands in headers, and empty for none.
func (v Version) String() string {
	switch v {
	case V10:
		return "1.0"
	case V11:
		return "1.1"
	case V12:
		return "1.2"
	}
	return ""
}

// Negotiate chooses the highest version of an accept-version header, a list in any order with or without spaces
// (STOMP 1.2, "Protocol Negotiation"). It says false when there is none in common. A client that sends no such
// header speaks 1.0; that is the caller's to decide.
func Negotiate(acceptVersion string) (Version, bool) {
	var best Version
	for offer := range strings.SplitSeq(acceptVersion, ",") {
		offer = strings.Trim(offer, " \t")
		for v := V10; v <= V12; v++ {
			if offer == v.String() {
				best = max(best, v)
			}
		}
	}
	return best, best != 0
}
