package sockjs_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
)

// FuzzMessages holds the parser of what clients send against encoding/json.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		`["a","b"]`, `"a"`, ` [ "a" , "" ] `, `[]`, `""`, ``, `[`, `["a"`, `["a",]`, `["a"]]`, `[null]`, `[1]`, `{"a":"b"}`,
		`["\u0041\ud83d\ude00\ud800x\udc00\n\/\"\\"]`, `["\ud800\ud800\udc00"]`, `["\u12"]`, `["\x"]`, "[\"\n\"]", "[\"\x00\"]",
		"[\"\xff\"]", "\ufeff[\"a\"]", `["` + strings.Repeat(`\u00e9`, 50) + `"]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, valid := messagesOf(body)
		got, err := sockjs.ParseMessages(bytes.Clone(body))
		if (err == nil) != valid {
			t.Fatalf("%q: %v, encoding/json says %v", body, err, valid)
		}
		if err == nil && !slices.EqualFunc(got, want, func(a []byte, b string) bool { return string(a) == b }) {
			t.Errorf("%q: %q, encoding/json says %q", body, got, want)
		}
	})
}

// messagesOf is the parser that encoding/json makes, without the empty messages: a string, or an array of nothing but
// strings.
func messagesOf(body []byte) (messages []string, valid bool) {
	if !utf8.Valid(body) {
		return nil, false
	}
	var value any
	if json.Unmarshal(body, &value) != nil {
		return nil, false
	}
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	for _, one := range list {
		text, isText := one.(string)
		if !isText {
			return nil, false
		}
		if text != "" {
			messages = append(messages, text)
		}
	}
	return messages, true
}

// FuzzQuoted: what is sent to clients is one JSON string of what was written, on one line, and within HTML nothing of it
// is markup.
func FuzzQuoted(f *testing.F) {
	for _, seed := range []string{"", "a\"b\\c", "\r\ndata: x\n\n", "\x00\x1f\x7f", "</script>&amp;", "\u200c\u2028\ufff0\uffff", "\xff\xc3", "🚲"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := string([]rune(string(text))) // what is no UTF-8 becomes U+FFFD
		for _, forHTML := range []bool{false, true} {
			quoted := sockjs.AppendQuoted(nil, text, forHTML)
			var got string
			if err := json.Unmarshal(quoted, &got); err != nil || got != want {
				t.Errorf("%q is quoted as %q: %q, %v", text, quoted, got, err)
			}
			if i := bytes.IndexFunc(quoted, func(r rune) bool { return r < ' ' || r == '\u2028' || r == '\u2029' }); i >= 0 {
				t.Errorf("%q is quoted with an end of line: %q", text, quoted)
			}
			if forHTML && bytes.ContainsAny(quoted, "<>&") {
				t.Errorf("%q is quoted with markup: %q", text, quoted)
			}
		}
	})
}
