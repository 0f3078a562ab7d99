package sockjs

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
)

// binding is what ties a session to its client beside the id in its path, which is short and stands in logs: the
// credentials of the request that opened it. They are compared, not verified anew: a ticket is good only once. Without
// any, the user being known from CONNECT only, the client's address has to do.
type binding [sha256.Size]byte

func bindingOf(r *http.Request) binding {
	query := r.URL.Query()
	digest := sha256.New()
	given := false
	for _, credential := range []string{r.Header.Get("Authorization"), query.Get("token"), query.Get("ticket")} {
		given = given || credential != ""
		sum := sha256.Sum256([]byte(credential))
		digest.Write(sum[:])
	}
	if !given {
		digest.Write([]byte(network(r.RemoteAddr)))
	}
	return binding(digest.Sum(nil))
}

func (b binding) equals(other binding) bool { return subtle.ConstantTimeCompare(b[:], other[:]) == 1 }

// network is an address as far as it stays the same for one client: the host, or the /64 of an IPv6 host, which
// changes the rest of its address as it likes.
func network(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		return netip.PrefixFrom(ip, 64).Masked().String()
	}
	return ip.String()
}

// nameOf is how a session is known outside this package, to other gateways and in logs: from the name nobody can tell
// the id, which is half a key.
func nameOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
