package main

import (
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/fliliy/chat/deploy/allinone"
)

// guests get ready-made tokens.
var guests = []string{"alice", "bob", "carol"}

var page = template.Must(template.New("welcome").Parse(`
Fliliy Chat is ready. Rooms and messages are kept in {{.Data}}.

  test page   {{range $i, $addr := .Gateways}}{{if $i}}
              {{end}}http://{{$addr}}/{{end}}
  WebSocket   {{range $i, $addr := .Gateways}}{{if $i}}
              {{end}}ws://{{$addr}}/ws{{end}}
  REST        {{range $i, $addr := .Gateways}}{{if $i}}
              {{end}}http://{{$addr}}/api/v1/{{end}}
  gRPC        {{.Chatsvc}}
  Redis       {{.Redis}}
  NATS        {{.NATS}}

Tokens ({{.More}} for anybody else):
{{range .Tokens}}
  {{.User}}
  {{.Token}}
{{end}}
Stop with Ctrl-C.
`))

type guest struct{ User, Token string }

// welcome prints where everything is and how to stop it.
func welcome(out io.Writer, stack *allinone.Stack, dataDir string) error {
	view := struct {
		Gateways                         []string
		Chatsvc, Redis, NATS, Data, More string
		Tokens                           []guest
	}{
		Chatsvc: stack.Chatsvc.Addr(), Redis: stack.RedisURL, NATS: stack.NATSURL, Data: strings.TrimSuffix(dataDir, "/") + "/",
		More: `POST /api/v1/dev/token {"userId":"dave"}`,
	}
	for _, gw := range stack.Gateways {
		view.Gateways = append(view.Gateways, gw.Addr())
	}
	for _, user := range guests {
		token, err := stack.Token(user)
		if err != nil {
			return fmt.Errorf("make a token for %s: %w", user, err)
		}
		view.Tokens = append(view.Tokens, guest{user, token})
	}
	return page.Execute(out, view)
}
