package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Rate is how often something may be done, written PER_SECOND/BURST, as in 20/100: 20 a second on average, 100 at
// once. 0 is no limit.
type Rate struct{ PerSecond, Burst float64 }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(text []byte) error {
	*r = Rate{}
	if string(text) == "0" {
		return nil
	}
	first, second, _ := strings.Cut(string(text), "/")
	perSecond, err := strconv.ParseFloat(first, 64)
	burst, err2 := strconv.ParseFloat(second, 64)
	if err != nil || err2 != nil {
		return fmt.Errorf("%q is not a rate such as 20/100 (a second, and at once), or 0 for none", text)
	}
	r.PerSecond, r.Burst = perSecond, burst
	return nil
}

// MarshalText writes the rate as it is read.
func (r Rate) MarshalText() ([]byte, error) {
	if r.PerSecond == 0 {
		return []byte("0"), nil
	}
	return fmt.Appendf(nil, "%g/%g", r.PerSecond, r.Burst), nil
}

// Rates bound how often clients may do what. Those of users and rooms hold over all gateways together, those of sessions and
// addresses on each. The zero value has no limits.
type Rates struct {
	Off bool `env:"OFF"` // no rate at all, whatever the others say: for load generators and tests

	SessionSend      Rate `env:"SESSION_SEND"`
	SessionSubscribe Rate `env:"SESSION_SUBSCRIBE"`
	Strikes          Rate `env:"STRIKES"` // of refusals; a session with more is closed

	RoomSend Rate `env:"ROOM_SEND"` // messages of one room, by whomever

	UserConnect   Rate `env:"USER_CONNECT"`
	UserSend      Rate `env:"USER_SEND"`
	UserSubscribe Rate `env:"USER_SUBSCRIBE"`
	UserRequest   Rate `env:"USER_REQUEST"` // REST

	AddressConnect   Rate `env:"ADDRESS_CONNECT"`
	AddressSend      Rate `env:"ADDRESS_SEND"`
	AddressSubscribe Rate `env:"ADDRESS_SUBSCRIBE"`
	AddressRequest   Rate `env:"ADDRESS_REQUEST"`
	BadTokens        Rate `env:"BAD_TOKENS"` // of one address
}

// DefaultRates are what no person reaches, nor an office or a mobile network behind one address.
func DefaultRates() Rates {
	return Rates{
		SessionSend: Rate{20, 100}, SessionSubscribe: Rate{50, 250}, Strikes: Rate{2, 100},
		RoomSend:    Rate{200, 1000},
		UserConnect: Rate{5, 50}, UserSend: Rate{40, 200}, UserSubscribe: Rate{100, 500}, UserRequest: Rate{50, 200},
		AddressConnect: Rate{100, 1000}, AddressRequest: Rate{500, 2000}, BadTokens: Rate{1, 30},
	}
}

// all are the rates by variable.
func (r *Rates) all() map[string]*Rate {
	return map[string]*Rate{
		"RATE_SESSION_SEND": &r.SessionSend, "RATE_SESSION_SUBSCRIBE": &r.SessionSubscribe, "RATE_STRIKES": &r.Strikes,
		"RATE_ROOM_SEND":    &r.RoomSend,
		"RATE_USER_CONNECT": &r.UserConnect, "RATE_USER_SEND": &r.UserSend, "RATE_USER_SUBSCRIBE": &r.UserSubscribe,
		"RATE_USER_REQUEST": &r.UserRequest, "RATE_ADDRESS_CONNECT": &r.AddressConnect,
		"RATE_ADDRESS_SEND": &r.AddressSend, "RATE_ADDRESS_SUBSCRIBE": &r.AddressSubscribe,
		"RATE_ADDRESS_REQUEST": &r.AddressRequest, "RATE_BAD_TOKENS": &r.BadTokens,
	}
}

func (r *Rates) validate(fault func(variable, format string, args ...any)) {
	for variable, rate := range r.all() {
		if *rate == (Rate{}) {
			continue
		}
		if !(rate.PerSecond > 0 && rate.PerSecond <= 1e6 && rate.Burst >= 1 && rate.Burst <= 1e6) {
			fault(variable, "%g/%g: both have to be between 0 and 1000000, the second at least 1", rate.PerSecond, rate.Burst)
		}
	}
}
