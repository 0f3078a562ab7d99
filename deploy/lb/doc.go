// Package lb has no code: it is the folder of the load balancer's configuration. Its tests run Debian's HAProxy on
// that very file, with Docker's DNS and the gateways played by the test.
package lb
