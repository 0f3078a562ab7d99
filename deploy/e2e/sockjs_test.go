package e2e_test

import (
	"os/exec"
	"testing"
)

// shopOrigin is where a page that is not the gateways' own says it comes from. Nothing listens there: the browser of
// these tests is told what stands on its pages.
const shopOrigin = "http://shop.test"

// TestSockJSClients has two people chat with sockjs-client and stompjs, each transport by itself, through a load
// balancer that sends every single request to the other gateway.
func TestSockJSClients(t *testing.T) {
	for _, transport := range []string{"websocket", "xhr-streaming", "xhr-polling", "eventsource"} {
		for _, how := range []string{"query", "connect"} {
			t.Run(transport+" token by "+how, func(t *testing.T) {
				onEveryStage(t, func(t *testing.T, s *stage) {
					url := "http://" + startBalancer(t, s.stack.Gateways[0].Addr(), s.stack.Gateways[1].Addr()) + "/ws"
					report := chatWithNode(t, s, "sockjs "+transport, how, url, url)
					if report.Transport != transport {
						t.Errorf("the transport was %q, want %q", report.Transport, transport)
					}
					if transport != "websocket" && s.metric(t, "fliliy_gateway_carried_total") == 0 {
						t.Error("no request was carried from one gateway to the other")
					}
				})
			})
		}
	}
}

// browserReport is what interop/sockjs-page.mjs prints: by transport, what went wrong, "" if nothing did.
type browserReport map[string]string

// TestSockJSInABrowser: in Chromium, every transport that sockjs-client has there carries a conversation through a load
// balancer without stickiness; those within a page of the gateways' own, and those of a page that is not, with the
// iframe page between.
func TestSockJSInABrowser(t *testing.T) {
	t.Parallel()
	s := stages[0] // the transports do not know what a stage stands on
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: `make setup` installs it", err)
	}
	alice := s.people(t, "alice")[0]
	pages := map[string][]string{
		"own": {"websocket", "xhr-streaming", "eventsource", "htmlfile", "xhr-polling", "jsonp-polling"},
		shopOrigin: {
			"websocket", "xhr-streaming", "eventsource", "iframe-eventsource", "iframe-htmlfile", "xhr-polling", "iframe-xhr-polling",
			"jsonp-polling",
		},
	}
	var report map[string]browserReport
	runNode(t, "sockjs-page.mjs", map[string]any{
		"browser": browser, "patience": patience.Milliseconds(), "pages": pages, "token": alice.token, "room": s.room(t, alice),
		"gateways": "http://" + startBalancer(t, s.stack.Gateways[0].Addr(), s.stack.Gateways[1].Addr()),
	}, &report)
	for page, transports := range pages {
		for _, transport := range transports {
			if fault, tried := report[page][transport]; !tried || fault != "" {
				t.Errorf("page %s, %s: %q (tried: %v)", page, transport, fault, tried)
			}
		}
	}
}
