package scenario

import (
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Target is how a STOMP server wants to be spoken to. Its texts are templates: {room} is the room's number, {user} the
// user's name, {token} the user's token, {payload} the content, {id} the message's own id, {status} a status.
type Target struct {
	Name  string            `yaml:"name"`
	About string            `yaml:"about"`
	Path  string            `yaml:"path"`  // of the WebSocket
	Login map[string]string `yaml:"login"` // headers of CONNECT
	Rooms string            `yaml:"rooms"` // RoomsByREST or RoomsNumbered

	Topic       string   `yaml:"topic"`        // destination to subscribe, with {room}
	Send        string   `yaml:"send"`         // destination to send to, with {room}
	Body        string   `yaml:"body"`         // of a message, with {payload}; {id} optional
	ContentType string   `yaml:"content_type"` // of a message
	Resume      string   `yaml:"resume"`       // header of SUBSCRIBE that names the last seq seen; empty: none
	Queues      []string `yaml:"queues"`       // what a user subscribes besides, where the scenario wants it
	Errors      string   `yaml:"errors"`       // destination that tells of refused messages, subscribed where somebody sends

	Read   Action `yaml:"read"`
	Typing Action `yaml:"typing"`
	Status Action `yaml:"status"`
}

// Action is something else that users send. Without a destination the target has no such thing.
type Action struct {
	Destination string `yaml:"destination"`
	Body        string `yaml:"body"`
}

// How rooms come about.
const (
	RoomsByREST   = "rest"     // POST /api/v1/chat-rooms, as the user that is the room's first member
	RoomsNumbered = "numbered" // by being named: a broker's topics
)

//go:embed targets/*.yaml
var targets embed.FS

// TargetNames are the targets that are built in.
func TargetNames() []string { return names(targets, "targets") }

// OpenTarget reads a target: a built-in one by name, or a file, where the name ends with .yaml.
func OpenTarget(name string) (Target, error) {
	text, err := open(targets, "targets", name)
	if err != nil {
		return Target{}, err
	}
	return ParseTarget(name, text)
}

// ParseTarget reads a target and checks it. The name of the source is for errors.
func ParseTarget(source string, text []byte) (Target, error) {
	var t Target
	if err := decode(text, &t); err != nil {
		return Target{}, fmt.Errorf("%s: %w", source, err)
	}
	if err := t.Validate(); err != nil {
		return Target{}, fmt.Errorf("%s:\n%w", source, err)
	}
	return t, nil
}

// Validate says everything that is wrong, one fault a line, each by its key; nil when nothing is.
func (t *Target) Validate() error {
	var faults []error
	demand := func(holds bool, format string, args ...any) {
		if !holds {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	demand(t.Name != "", "name: is missing")
	demand(strings.HasPrefix(t.Path, "/"), "path: %q does not begin with /", t.Path)
	demand(t.Rooms == RoomsByREST || t.Rooms == RoomsNumbered, "rooms: %q, want %s or %s", t.Rooms, RoomsByREST, RoomsNumbered)
	demand(strings.Contains(t.Topic, "{room}"), "topic: %q lacks {room}", t.Topic)
	demand(strings.Contains(t.Send, "{room}"), "send: %q lacks {room}", t.Send)
	demand(strings.Contains(t.Body, "{payload}"), "body: %q lacks {payload}", t.Body)
	texts := map[string]string{
		"topic": t.Topic, "send": t.Send, "body": t.Body, "read.destination": t.Read.Destination, "read.body": t.Read.Body,
		"typing.destination": t.Typing.Destination, "typing.body": t.Typing.Body,
		"status.destination": t.Status.Destination, "status.body": t.Status.Body,
	}
	for key, value := range t.Login {
		texts["login."+key] = value
	}
	for key, text := range texts {
		if _, err := Compile(text); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
	}
	return errors.Join(faults...)
}

// Field is a place in a template.
type Field int

// The places in templates.
const (
	Room Field = iota
	User
	Token
	Payload
	ID
	Status
	fields
)

var fieldNames = [fields]string{"room", "user", "token", "payload", "id", "status"}

// Values fill a template's places.
type Values [fields][]byte

// Template is a compiled text with places.
type Template struct{ pieces []piece }

type piece struct {
	text  string
	field Field // fields: the text itself
}

// Compile reads a template: {room} and the like are places, {{ is an opening brace followed by no name and stays.
// What stands in braces and is the name of nothing is no place either: bodies are JSON.
func Compile(text string) (Template, error) {
	var t Template
	literal := func(s string) {
		if s != "" {
			t.pieces = append(t.pieces, piece{s, fields})
		}
	}
	for text != "" {
		at, field := nextField(text)
		if field == fields {
			break
		}
		literal(text[:at])
		t.pieces = append(t.pieces, piece{"", field})
		text = text[at+len(fieldNames[field])+2:]
	}
	literal(text)
	if open := strings.IndexByte(text, '{'); open >= 0 {
		name, _, closed := strings.Cut(text[open+1:], "}")
		if closed && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == "" {
			return Template{}, errors.New("{" + name + "} is the name of nothing; there are {" + strings.Join(fieldNames[:], "}, {") + "}")
		}
	}
	return t, nil
}

// nextField finds the first place.
func nextField(text string) (at int, field Field) {
	at, field = len(text), fields
	for f, name := range fieldNames {
		if i := strings.Index(text, "{"+name+"}"); i >= 0 && i < at {
			at, field = i, Field(f)
		}
	}
	return at, field
}

// Append appends the text with its places filled.
func (t Template) Append(dst []byte, values *Values) []byte {
	for _, p := range t.pieces {
		if p.field == fields {
			dst = append(dst, p.text...)
		} else {
			dst = append(dst, values[p.field]...)
		}
	}
	return dst
}

// Len is how long Append's text is.
func (t Template) Len(values *Values) (n int) {
	for _, p := range t.pieces {
		if p.field == fields {
			n += len(p.text)
		} else {
			n += len(values[p.field])
		}
	}
	return n
}

// Name is a user's name in a run.
func Name(run string, user int) string { return run + "-" + strconv.Itoa(user) }
