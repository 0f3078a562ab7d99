package edge

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// fromProxies puts the client's own address into RemoteAddr where the request came through proxies that are trusted to
// tell it (X-Forwarded-For); what anybody else says there is not looked at. Handlers know no other address.
func fromProxies(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = clientAddr(r, trusted)
		next.ServeHTTP(w, r)
	})
}

// clientAddr is the last address that no trusted proxy has: every proxy adds whom it heard from at the end, so what
// stands before an untrusted one is that one's own invention.
func clientAddr(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !within(trusted, peer.Addr()) {
		return r.RemoteAddr
	}
	client := r.RemoteAddr
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		client = net.JoinHostPort(addr.String(), "0")
		if !within(trusted, addr) {
			break
		}
	}
	return client
}

func within(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(addr) })
}
