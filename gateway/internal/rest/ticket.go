package rest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// ticketPath is where a token is changed for a one-time ticket. The chat service has no part in it.
const ticketPath = "/api/v1/ws-ticket"

// WithTickets offers one-time tickets, each good for so long.
func WithTickets(tickets Tickets, life time.Duration) Option {
	return func(h *handler) { h.tickets, h.ticketLife = tickets, life }
}

// issueTicket answers with a ticket for the token of the request, which is good.
func (h *handler) issueTicket(w http.ResponseWriter, r *http.Request, token string) {
	if r.Method != http.MethodPost {
		h.notRouted(r.Context(), nil, nil, w, r, http.StatusMethodNotAllowed)
		return
	}
	ticket, err := h.tickets.Issue(r.Context(), token)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	body, err := json.Marshal(struct {
		Ticket    string `json:"ticket"`
		ExpiresIn int64  `json:"expiresInMs"`
	}{ticket, h.ticketLife.Milliseconds()})
	if err != nil {
		h.refuse(w, r, &event.Error{Code: event.Internal, Message: "internal error"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// describeTickets adds tickets to a description.
func describeTickets(paths object) {
	refusal := func(text string) object {
		return object{"description": text, "schema": object{"$ref": "#/definitions/rpcStatus"}}
	}
	paths[ticketPath] = object{"post": object{
		"operationId": "IssueTicket", "tags": []any{"ChatService"},
		"summary": "Changes the token for a one-time ticket, which opens one connection on any gateway: " +
			"/ws?ticket=… or the CONNECT header ticket. It keeps tokens out of URLs.",
		"responses": object{
			"200": object{"description": "The ticket.", "schema": object{
				"type": "object", "required": []any{"ticket", "expiresInMs"},
				"properties": object{
					"ticket":      object{"type": "string"},
					"expiresInMs": object{"type": "integer", "format": "int64"},
				},
			}},
			"503":     refusal("Tickets cannot be had just now."),
			"default": refusal("An error."),
		},
	}}
}
