package rest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/proto"
)

// object is a JSON object of the description.
type object = map[string]any

const description = `REST paths of Fliliy Chat. Every request needs "Authorization: Bearer <token>", the same token as ` +
	`on /ws; the acting user is the token's. Room ids are strings; seqs and counts are numbers; times are RFC 3339, ` +
	`UTC, with milliseconds. Events are exactly the JSON that STOMP clients receive. Unknown request fields are ` +
	`ignored. Bodies are JSON of at most 64 KiB. Errors are {"code","message"}.`

// document is the OpenAPI description as served: the generated one, made true to the JSON of marshal.go.
type document struct {
	body  []byte
	paths map[string][]string // path template to its methods
}

func newDocument(tickets bool) *document {
	var doc object
	if err := json.Unmarshal(proto.OpenAPI, &doc); err != nil {
		panic("rest: read the embedded OpenAPI file: " + err.Error())
	}
	doc["info"] = object{"title": "Fliliy Chat", "version": "v1", "description": description}
	doc["securityDefinitions"] = object{"bearer": object{
		"type": "apiKey", "in": "header", "name": "Authorization", "description": "Bearer <token>",
	}}
	doc["security"] = []any{object{"bearer": []any{}}}
	delete(doc, "tags")
	definitions := child(doc, "definitions")
	for name, schema := range contractSchemas() {
		definitions[name] = schema
	}
	adaptNumbers("", doc)
	adaptRole(child(definitions, "v1MemberRole"))
	paths := child(doc, "paths")
	if tickets {
		describeTickets(paths)
	}
	found := child(child(child(paths, "/api/v1/chat-rooms"), "post"), "responses")
	found["201"] = object{"description": "The room is new.", "schema": object{"$ref": "#/definitions/v1Room"}}
	child(found, "200")["description"] = "The room stood already."
	keepUsed(doc, definitions)
	body, err := json.Marshal(doc)
	if err != nil {
		panic("rest: write the OpenAPI description: " + err.Error())
	}
	return &document{body: body, paths: methodsOf(paths)}
}

// child is the object under a key, made if it is not there.
func child(of object, key string) object {
	if found, ok := of[key].(object); ok {
		return found
	}
	made := object{}
	of[key] = made
	return made
}

// contractSchemas are the definitions that differ from the messages behind them.
func contractSchemas() object {
	codes := make([]any, 0, len(statuses))
	for code := range statuses {
		codes = append(codes, string(code))
	}
	slices.SortFunc(codes, func(a, b any) int { return strings.Compare(a.(string), b.(string)) }) //nolint:forcetypeassert // just made
	return object{
		"rpcStatus": object{
			"type": "object", "title": "Error", "required": []any{"code", "message"},
			"properties": object{
				"code":    object{"type": "string", "enum": codes},
				"message": object{"type": "string", "description": "For a person: what happened and what to do."},
			},
		},
		"v1Event": object{
			"type": "object", "additionalProperties": true, "required": []any{"event", "seq"},
			"description": "An event of a log, exactly as STOMP clients receive it; its other fields depend on event.",
			"properties": object{
				"event": object{"type": "string", "description": "MESSAGE, MEMBER, NOTIFICATION, …"},
				"seq":   object{"type": "integer", "format": "int64"},
			},
		},
	}
}

// adaptNumbers makes 64-bit numbers, which protojson writes as strings, numbers; all but ids.
func adaptNumbers(name string, node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			adaptNumbers(name, item)
		}
	case object:
		if parameter, ok := node["name"].(string); ok {
			name = parameter
		}
		if node["type"] == "string" && node["format"] == "int64" && !strings.HasSuffix(name, "Id") {
			node["type"] = "integer"
		}
		for key, item := range node {
			adaptNumbers(key, item)
		}
	}
}

// adaptRole takes the enum's prefix off its values, as marshal.go does.
func adaptRole(role object) {
	values, _ := role["enum"].([]any)
	for i, value := range values {
		if word, ok := value.(string); ok {
			values[i] = strings.TrimPrefix(word, "MEMBER_ROLE_")
		}
	}
}

// keepUsed deletes the definitions that no path leads to.
func keepUsed(doc, definitions object) {
	used := map[string]bool{}
	var visit func(any)
	visit = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, item := range node {
				visit(item)
			}
		case object:
			if ref, ok := node["$ref"].(string); ok {
				if name := strings.TrimPrefix(ref, "#/definitions/"); !used[name] {
					used[name] = true
					visit(definitions[name])
				}
			}
			for _, item := range node {
				visit(item)
			}
		}
	}
	visit(doc["paths"])
	for name := range definitions {
		if !used[name] {
			delete(definitions, name)
		}
	}
}

func methodsOf(paths object) map[string][]string {
	all := make(map[string][]string, len(paths))
	for path, operations := range paths {
		for method := range operations.(object) { //nolint:forcetypeassert // OpenAPI
			all[path] = append(all[path], strings.ToUpper(method))
		}
		slices.Sort(all[path])
	}
	return all
}

// methods are the methods that a path takes.
func (d *document) methods(path string) []string {
	parts := strings.Split(path, "/")
	for template, methods := range d.paths {
		if slices.EqualFunc(strings.Split(template, "/"), parts, func(want, part string) bool {
			return want == part || (strings.HasPrefix(want, "{") && part != "")
		}) {
			return methods
		}
	}
	return nil
}

func (d *document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		writeError(w, http.StatusMethodNotAllowed, &event.Error{
			Code: event.Invalid, Message: "this path does not take " + quote(r.Method) + ", only GET",
		})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(d.body) // a client that is gone needs no answer; a HEAD gets no body from net/http
}
