package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// maxBody is the largest body of an action, in bytes.
const maxBody = 64 << 10

// sendBody is the JSON body of a send. Whatever else it names is ignored: old clients also write senderId, chatRoomId
// and timestamp, which the token, the destination and the database's clock say better.
type sendBody struct {
	Type            string          `json:"type"`
	Content         string          `json:"content"`
	ClientMessageID string          `json:"clientMessageId"`
	Attachment      json.RawMessage `json:"attachment"`
}

// parseSend fills in what a client wrote: a JSON object, or the content of a TEXT message. Without a content type it
// is JSON. On an error the draft still has the clientMessageId, where it could be read.
func parseSend(contentType string, body []byte, draft *chat.Draft) error {
	plain, err := isPlainText(contentType)
	if err != nil {
		return err
	}
	if plain {
		draft.Type, draft.Content = chat.TypeText, string(body)
		return nil
	}
	var parsed sendBody
	err = parseObject(body, &parsed)
	draft.ClientMessageID = parsed.ClientMessageID
	if err != nil {
		return err
	}
	draft.Type, draft.Content = parsed.Type, parsed.Content
	if !bytes.Equal(parsed.Attachment, []byte("null")) {
		draft.Attachment = parsed.Attachment
	}
	return nil
}

// revisionBody is the JSON body of an edit or a recall. Whatever else it names is ignored.
type revisionBody struct {
	Seq             int64  `json:"seq"`
	Content         string `json:"content"`
	ClientMessageID string `json:"clientMessageId"`
}

// parseEdit fills in what a client wrote: a JSON object. On an error the draft still has the clientMessageId, where it
// could be read.
func parseEdit(contentType string, body []byte, draft *chat.Draft) error {
	parsed, err := parseRevision(contentType, body, draft)
	draft.Content = parsed.Content
	return err
}

// parseRecall is parseEdit for recalls, which have no content.
func parseRecall(contentType string, body []byte, draft *chat.Draft) error {
	_, err := parseRevision(contentType, body, draft)
	return err
}

func parseRevision(contentType string, body []byte, draft *chat.Draft) (parsed revisionBody, err error) {
	plain, err := isPlainText(contentType)
	if err != nil {
		return parsed, err
	}
	if plain {
		return parsed, invalid("content-type text/plain cannot name the message: use application/json")
	}
	err = parseObject(body, &parsed)
	draft.Target, draft.ClientMessageID = parsed.Seq, parsed.ClientMessageID
	return parsed, err
}

// isPlainText says how to read a body: as text, or as JSON.
func isPlainText(contentType string) (bool, error) {
	switch contentType { // those that nearly all clients write
	case "", "application/json", "application/json;charset=UTF-8", "application/json;charset=utf-8":
		return false, nil
	case "text/plain":
		return true, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false, invalid("content-type cannot be read: use application/json or text/plain")
	}
	switch charset := strings.ToLower(params["charset"]); charset {
	case "", "utf-8", "utf8", "us-ascii":
	default:
		return false, invalid(fmt.Sprintf("charset %.32q is not supported: use utf-8", charset))
	}
	switch media {
	case "application/json":
		return false, nil
	case "text/plain":
		return true, nil
	}
	return false, invalid(fmt.Sprintf("content-type %.64q is not supported: use application/json or text/plain", media))
}

// parseMark returns the seq that a mark is to move to: 0, everything, for an empty body and where it names none.
func parseMark(body []byte) (int64, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return 0, nil
	}
	var parsed struct {
		Seq int64 `json:"seq"`
	}
	if err := parseObject(body, &parsed); err != nil {
		return 0, err
	}
	if parsed.Seq < 0 {
		return 0, invalid(fmt.Sprintf("seq is %d, and cannot be negative: leave it out for everything", parsed.Seq))
	}
	return parsed.Seq, nil
}

// parseObject reads a JSON object into a struct, and says what is wrong in words for whoever writes a client.
func parseObject(body []byte, into any) error {
	if !utf8.Valid(body) {
		return invalid("the body is not valid UTF-8")
	}
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(trimmed) == 0:
		return invalid("the body is empty, and must be a JSON object")
	case trimmed[0] != '{' && json.Valid(trimmed):
		return invalid("the body must be a JSON object, and is another kind of JSON")
	}
	err := json.Unmarshal(body, into)
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return invalid(fmt.Sprintf("%s must be %s, and is a JSON %.40s", wrong.Field, wanted(wrong.Type), wrong.Value))
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return invalid(fmt.Sprintf("the body is not valid JSON: byte %d of %d: %s", syntax.Offset, len(body), syntax))
	}
	return invalid("the body is not valid JSON")
}

func wanted(t reflect.Type) string {
	if t.Kind() == reflect.Int64 {
		return "a whole number"
	}
	return "a string"
}
