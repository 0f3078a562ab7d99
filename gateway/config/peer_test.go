package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/config"
)

// How gateways reach each other, and what SockJS offers: each fault is named by its variable, and no secret shown.
func TestPeerAndSockJSSettings(t *testing.T) {
	t.Parallel()
	good := config.Peer{Addr: "10.0.0.7:8092", Secret: peerSecret}
	change := func(change func(*config.Peer)) config.Peer {
		p := good
		change(&p)
		return p
	}
	for name, tc := range map[string]struct {
		peer   config.Peer
		script string
		fault  string // the variable; "" for none
	}{
		"none":                        {},
		"an address and a secret":     {peer: good},
		"a URL":                       {peer: change(func(p *config.Peer) { p.URL = "http://gateway-7:8092" })},
		"no address but a secret":     {peer: config.Peer{Secret: peerSecret}, fault: "PEER_ADDR"},
		"no address but a URL":        {peer: config.Peer{URL: "http://gateway-7:8092"}, fault: "PEER_ADDR"},
		"no port":                     {peer: change(func(p *config.Peer) { p.Addr = "10.0.0.7" }), fault: "PEER_ADDR"},
		"no secret":                   {peer: change(func(p *config.Peer) { p.Secret = "" }), fault: "PEER_SECRET"},
		"a short secret":              {peer: change(func(p *config.Peer) { p.Secret = peerSecret[:31] }), fault: "PEER_SECRET"},
		"the secret of tokens":        {peer: change(func(p *config.Peer) { p.Secret = secret }), fault: "PEER_SECRET"},
		"a URL without a scheme":      {peer: change(func(p *config.Peer) { p.URL = "gateway-7:8092" }), fault: "PEER_URL"},
		"a URL with a path":           {peer: change(func(p *config.Peer) { p.URL = "http://gateway-7:8092/x" }), fault: "PEER_URL"},
		"a URL of TLS":                {peer: change(func(p *config.Peer) { p.URL = "https://gateway-7:8092" }), fault: "PEER_URL"},
		"a script of our own":         {script: "/sockjs.js"},
		"a script of another site":    {script: "https://shop.example/sockjs.js"},
		"a script that is no address": {script: "javascript:alert(1)", fault: "SOCKJS_CLIENT_URL"},
		"a script that is no URL":     {script: "http://a b", fault: "SOCKJS_CLIENT_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := valid()
			cfg.Peer, cfg.SockJS.ClientURL = tc.peer, tc.script
			err := cfg.Validate()
			if tc.fault == "" && err != nil {
				t.Errorf("Validate: %v", err)
			}
			if tc.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), "FLILIY_GATEWAY_"+tc.fault+":")) {
				t.Errorf("Validate = %v, want a fault of %s", err, tc.fault)
			}
			if err != nil && strings.Contains(err.Error(), peerSecret[:31]) {
				t.Errorf("the fault shows the secret: %v", err)
			}
		})
	}
}

func TestRedactedHidesTheSecretOfGateways(t *testing.T) {
	t.Parallel()
	cfg := valid()
	cfg.Peer = config.Peer{Addr: "10.0.0.7:8092", Secret: peerSecret}
	if printed := fmt.Sprintf("%+v", cfg.Redacted()); strings.Contains(printed, peerSecret) || !strings.Contains(printed, "10.0.0.7:8092") {
		t.Errorf("Redacted shows the secret, or hides the address: %s", printed)
	}
}
