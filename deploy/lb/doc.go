// Package lb has no code: it is the folder of the load balancer's configurations. Its tests run Debian's HAProxy on
// these very files, with Docker's DNS played by the test; behind haproxy.cfg the gateways are, too, and behind
// haproxy-tcp.cfg there is a real one.
package lb
