package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/rest"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

var noon = timestamppb.New(time.Date(2026, 11, 23, 12, 0, 0, 120_000_000, time.FixedZone("", 3600)))

var (
	room     = &chatv1.Room{ChatRoomId: 42, CreatedBy: "alice", CreatedAt: noon, MemberIds: []string{"alice", "bob"}, Direct: true}
	roomJSON = `{"chatRoomId":"42","name":"","listingId":"","direct":true,"createdBy":"alice",` +
		`"createdAt":"2026-11-23T11:00:00.120Z","memberIds":["alice","bob"]}`
	message     = []byte(`{"event":"MESSAGE","chatRoomId":"42","seq":7, "content":"<你好>"}`)
	messageWire = &chatv1.Event{Seq: 7, Kind: chatv1.EventKind_EVENT_KIND_MESSAGE, MessageId: "42-7", Json: message}
)

func TestCalls(t *testing.T) {
	t.Parallel()
	attachment, err := structpb.NewStruct(map[string]any{"url": "x", "size": 3})
	if err != nil {
		t.Fatalf("make a struct: %v", err)
	}
	tests := []struct {
		name               string
		method, path, body string
		request, response  proto.Message
		status             int
		want               string
	}{
		{
			"create room", "POST", "/api/v1/chat-rooms", `{"memberIds":["bob"],"listingId":"l1"}`,
			&chatv1.CreateRoomRequest{MemberIds: []string{"bob"}, ListingId: "l1"},
			&chatv1.CreateRoomResponse{Room: room, Created: true}, 201, roomJSON,
		},
		{
			"find room", "POST", "/api/v1/chat-rooms", `{"memberIds":["bob"]}`,
			&chatv1.CreateRoomRequest{MemberIds: []string{"bob"}},
			&chatv1.CreateRoomResponse{Room: room}, 200, roomJSON,
		},
		{
			"list rooms", "GET", "/api/v1/chat-rooms?limit=2&pageToken=p", "",
			&chatv1.ListRoomsRequest{Limit: 2, PageToken: "p"},
			&chatv1.ListRoomsResponse{
				Rooms: []*chatv1.RoomSummary{{Room: room, LastEvent: messageWire, HeadSeq: 7, LastReadSeq: 5, UnreadCount: 2}},
			},
			200, `{"rooms":[{"room":` + roomJSON + `,"lastEvent":` + string(message) +
				`,"headSeq":7,"lastReadSeq":5,"unreadCount":2,"presence":[]}],"nextPageToken":""}`,
		},
		{
			"no rooms", "GET", "/api/v1/chat-rooms", "", &chatv1.ListRoomsRequest{}, &chatv1.ListRoomsResponse{},
			200, `{"rooms":[],"nextPageToken":""}`,
		},
		{
			"members", "GET", "/api/v1/chat-rooms/42/members", "", &chatv1.ListMembersRequest{ChatRoomId: 42},
			&chatv1.ListMembersResponse{Members: []*chatv1.Member{
				{
					UserId: "al\"ice\n", Role: chatv1.MemberRole_MEMBER_ROLE_OWNER, JoinedAt: noon,
					LastReadSeq: 1 << 53, LastDeliveredSeq: 1<<53 + 1, State: chatv1.MemberState_MEMBER_STATE_MUTED, MutedUntil: noon,
				},
				{Role: 99},
			}},
			200, `{"members":[{"userId":"al\"ice\n","role":"OWNER","joinedAt":"2026-11-23T11:00:00.120Z",` +
				`"lastReadSeq":9007199254740992,"lastDeliveredSeq":9007199254740993,"state":"MUTED",` +
				`"mutedUntil":"2026-11-23T11:00:00.120Z"},` +
				`{"userId":"","role":"99","lastReadSeq":0,"lastDeliveredSeq":0,"state":"UNSPECIFIED"}]}`,
		},
		{
			"add members", "POST", "/api/v1/chat-rooms/42/members", `{"memberIds":["carol"]}`,
			&chatv1.AddMembersRequest{ChatRoomId: 42, MemberIds: []string{"carol"}}, &chatv1.AddMembersResponse{},
			200, `{"members":[]}`,
		},
		{
			"remove member", "DELETE", "/api/v1/chat-rooms/42/members/carol", "",
			&chatv1.RemoveMemberRequest{ChatRoomId: 42, UserId: "carol"}, &chatv1.RemoveMemberResponse{}, 200, `{}`,
		},
		{
			"remove member with an odd id", "DELETE", "/api/v1/chat-rooms/42/members/a%2Fb%20%E4%BD%A0@c%252F", "",
			&chatv1.RemoveMemberRequest{ChatRoomId: 42, UserId: "a/b 你@c%2F"}, &chatv1.RemoveMemberResponse{}, 200, `{}`,
		},
		{
			"send", "POST", "/api/v1/chat-rooms/42/messages",
			`{"type":"TEXT","content":"你好","clientMessageId":"c1","attachment":{"url":"x","size":3},` +
				`"senderId":"mallory","chatRoomId":"43"}`,
			&chatv1.SendMessageRequest{
				ChatRoomId: 42, Type: "TEXT", Content: "你好", ClientMessageId: "c1", Attachment: attachment,
			},
			&chatv1.SendMessageResponse{MessageId: "42-7", Seq: 7, Duplicate: true},
			200, `{"messageId":"42-7","seq":7,"duplicate":true}`,
		},
		{
			"edit", "PATCH", "/api/v1/chat-rooms/42/messages/7",
			`{"content":"您好","clientMessageId":"c2","seq":8,"senderId":"mallory"}`,
			&chatv1.EditMessageRequest{ChatRoomId: 42, Seq: 7, Content: "您好", ClientMessageId: "c2"},
			&chatv1.EditMessageResponse{MessageId: "42-9", Seq: 9}, 200, `{"messageId":"42-9","seq":9,"duplicate":false}`,
		},
		{
			"recall", "DELETE", "/api/v1/chat-rooms/42/messages/7", "",
			&chatv1.RecallMessageRequest{ChatRoomId: 42, Seq: 7},
			&chatv1.RecallMessageResponse{MessageId: "42-10", Seq: 10, Duplicate: true},
			200, `{"messageId":"42-10","seq":10,"duplicate":true}`,
		},
		{
			"history", "GET", "/api/v1/chat-rooms/42/messages?beforeSeq=9&limit=2", "",
			&chatv1.ListMessagesRequest{ChatRoomId: 42, BeforeSeq: 9, Limit: 2},
			&chatv1.ListMessagesResponse{Events: []*chatv1.Event{messageWire, messageWire}, HeadSeq: 9},
			200, `{"events":[` + string(message) + `,` + string(message) + `],"headSeq":9}`,
		},
		{
			"history from the start", "GET", "/api/v1/chat-rooms/42/messages?afterSeq=0", "",
			&chatv1.ListMessagesRequest{ChatRoomId: 42, AfterSeq: proto.Int64(0)}, &chatv1.ListMessagesResponse{},
			200, `{"events":[],"headSeq":0}`,
		},
		{
			"read up to", "POST", "/api/v1/chat-rooms/42/read", `{"seq":7}`,
			&chatv1.MarkReadRequest{ChatRoomId: 42, Seq: 7}, &chatv1.MarkReadResponse{LastReadSeq: 7},
			200, `{"lastReadSeq":7}`,
		},
		{
			"read everything", "POST", "/api/v1/chat-rooms/42/read", "",
			&chatv1.MarkReadRequest{ChatRoomId: 42}, &chatv1.MarkReadResponse{LastReadSeq: 9}, 200, `{"lastReadSeq":9}`,
		},
		{
			"inbox", "GET", "/api/v1/inbox?afterSeq=3", "", &chatv1.ListInboxRequest{AfterSeq: proto.Int64(3)},
			&chatv1.ListInboxResponse{HeadSeq: 3}, 200, `{"events":[],"headSeq":3}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := &double{response: test.response}
			h, _ := newHandler(t, d)
			response := call(t, h, test.method, test.path, test.body, nil)
			if got := read(t, response); response.StatusCode != test.status || got != test.want {
				t.Errorf("%d %s\nwant %d %s", response.StatusCode, got, test.status, test.want)
			}
			if got := response.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			if diff := cmp.Diff(test.request, d.request, protocmp.Transform()); diff != "" {
				t.Errorf("gRPC request (-want +got):\n%s", diff)
			}
			if d.user != "alice" {
				t.Errorf("acting user %q, want alice", d.user)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	const rooms, messages = "/api/v1/chat-rooms", "/api/v1/chat-rooms/42/messages"
	tests := []struct {
		name               string
		method, path, body string
		header             http.Header
		status             int
		code               event.Code
		says               string
	}{
		{"no token", "GET", rooms, "", http.Header{"Authorization": nil}, 401, event.Unauthenticated, "Authorization: Bearer"},
		{"basic", "GET", rooms, "", http.Header{"Authorization": {"Basic YTpi"}}, 401, event.Unauthenticated, "Bearer"},
		{"empty token", "GET", rooms, "", http.Header{"Authorization": {"Bearer "}}, 401, event.Unauthenticated, "Bearer"},
		{"bad token", "GET", rooms, "", http.Header{"Authorization": {"bearer bad"}}, 401, event.Unauthenticated, "not valid"},
		{"token ran out", "GET", rooms, "", http.Header{"Authorization": {"Bearer expired"}}, 401, event.TokenExpired, "expired"},
		{"token in the query only", "GET", rooms + "?token=alice", "", http.Header{"Authorization": nil}, 401, event.Unauthenticated, ""},
		{"no JSON", "POST", rooms, `{"memberIds":[`, nil, 400, event.Invalid, "JSON"},
		{"JSON of another shape", "POST", rooms, `{"memberIds":"bob"}`, nil, 400, event.Invalid, "bob"},
		{"an array", "POST", rooms, `[]`, nil, 400, event.Invalid, "JSON object"},
		{"two objects", "POST", rooms, `{} {}`, nil, 400, event.Invalid, "JSON"},
		{"no UTF-8", "POST", messages, "{\"content\":\"\xff\"}", nil, 400, event.Invalid, "UTF-8"},
		{"bad number in the query", "GET", messages + "?limit=many", "", nil, 400, event.Invalid, "limit"},
		{"broken query", "GET", messages + "?limit=%zz", "", nil, 400, event.Invalid, ""},
		{"room id is a word", "GET", rooms + "/lobby/messages", "", nil, 400, event.Invalid, "lobby"},
		{"room id 0", "GET", rooms + "/0/messages", "", nil, 400, event.Invalid, "0"},
		{"room id below 0", "GET", rooms + "/-1/messages", "", nil, 400, event.Invalid, "-1"},
		{"room id with a leading zero", "GET", rooms + "/042/messages", "", nil, 400, event.Invalid, "042"},
		{"room id over 64 bits", "GET", rooms + "/9223372036854775808/messages", "", nil, 400, event.Invalid, ""},
		{"form", "POST", rooms, "a=b", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 415, event.Invalid, "application/json"},
		{"text", "POST", messages, "{}", http.Header{"Content-Type": {"text/plain"}}, 415, event.Invalid, "application/json"},
		{"no content type", "POST", messages, "{}", http.Header{"Content-Type": nil}, 415, event.Invalid, "application/json"},
		{"body too large", "POST", messages, `{"content":"` + strings.Repeat("x", rest.MaxBody) + `"}`, nil, 413, event.TooLarge, "65536"},
		{"unknown path", "GET", "/api/v1/nothing", "", nil, 404, event.Invalid, "openapi.json"},
		{"path too long", "GET", messages + "/7/8", "", nil, 404, event.Invalid, ""},
		{"seq is a word", "DELETE", messages + "/last", "", nil, 400, event.Invalid, `seq "last"`},
		{"seq 0", "PATCH", messages + "/0", `{"content":"x"}`, nil, 400, event.Invalid, `seq "0"`},
		{"edit without JSON", "PATCH", messages + "/7", `content=x`, nil, 400, event.Invalid, "JSON"},
		{"edit by a form", "PATCH", messages + "/7", `content=x`, http.Header{"Content-Type": {"text/plain"}}, 415, event.Invalid, "application/json"},
		{"internal method", "POST", "/fliliy.chat.v1.ChatService/SendNotification", "{}", nil, 404, event.Invalid, ""},
		{"wrong method", "PUT", messages, "", nil, 405, event.Invalid, "GET, POST"},
		{"method override", "PUT", messages, "", http.Header{"X-Http-Method-Override": {"GET"}}, 405, event.Invalid, "GET, POST"},
		{"description is not for writing", "POST", "/api/v1/openapi.json", "{}", nil, 405, event.Invalid, "GET"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := &double{}
			h, _ := newHandler(t, d)
			response := call(t, h, test.method, test.path, test.body, test.header)
			checkError(t, response, test.status, test.code, test.says)
			if d.method != "" {
				t.Errorf("the chat service was called: %s", d.method)
			}
			if got := response.Header.Get("WWW-Authenticate"); (got == "Bearer") != (test.status == 401) {
				t.Errorf("WWW-Authenticate %q", got)
			}
			if got := response.Header.Get("Allow"); test.status == 405 && !strings.Contains(got, "GET") {
				t.Errorf("Allow %q", got)
			}
		})
	}
}

func checkError(t *testing.T, response *http.Response, status int, code event.Code, says string) {
	t.Helper()
	body := read(t, response)
	var got map[string]string
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%d %s is no JSON: %v", response.StatusCode, body, err)
	}
	if response.StatusCode != status || got["code"] != string(code) || !strings.Contains(got["message"], says) ||
		got["message"] == "" || len(got) != 2 {
		t.Errorf("%d %s\nwant %d, code %s and a message with %q", response.StatusCode, body, status, code, says)
	}
	for header, want := range map[string]string{
		"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Referrer-Policy": "no-referrer",
	} {
		if value := response.Header.Get(header); value != want {
			t.Errorf("%s: %q, want %q", header, value, want)
		}
	}
}

func TestServiceErrors(t *testing.T) {
	t.Parallel()
	refusal := func(reason string) error {
		st, err := status.New(codes.Unknown, "told why").WithDetails(
			&errdetails.ErrorInfo{Domain: "fliliy.chat", Reason: reason},
			&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		)
		if err != nil {
			t.Fatalf("make a status: %v", err)
		}
		return st.Err()
	}
	tests := []struct {
		name       string
		err        error
		status     int
		code       event.Code
		says       string
		retryAfter string
		logged     bool
	}{
		{"unauthenticated", refusal("UNAUTHENTICATED"), 401, event.Unauthenticated, "told why", "", false},
		{"token expired", refusal("TOKEN_EXPIRED"), 401, event.TokenExpired, "told why", "", false},
		{"forbidden", refusal("FORBIDDEN"), 403, event.Forbidden, "told why", "", false},
		{"invalid", refusal("INVALID"), 400, event.Invalid, "told why", "", false},
		{"too large", refusal("TOO_LARGE"), 413, event.TooLarge, "told why", "", false},
		{"rate limited", refusal("RATE_LIMITED"), 429, event.RateLimited, "told why", "2", false},
		{"slow consumer", refusal("SLOW_CONSUMER"), 503, event.SlowConsumer, "told why", "2", false},
		{"unavailable", refusal("UNAVAILABLE"), 503, event.Unavailable, "told why", "2", false},
		{"internal", refusal("INTERNAL"), 500, event.Internal, "told why", "", true},
		{"away", status.Error(codes.Unavailable, "dial tcp 10.0.0.7"), 503, event.Unavailable, "cannot be reached", "1", false},
		{"panic", status.Error(codes.Unknown, "nil pointer"), 500, event.Internal, "our side", "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, log := newHandler(t, &double{err: test.err})
			response := call(t, h, "GET", "/api/v1/inbox", "", nil)
			checkError(t, response, test.status, test.code, test.says)
			if got := response.Header.Get("Retry-After"); got != test.retryAfter {
				t.Errorf("Retry-After %q, want %q", got, test.retryAfter)
			}
			if (log.Len() > 0) != test.logged {
				t.Errorf("log: %q, want a line: %v", log, test.logged)
			}
		})
	}
}

// An event that is no JSON is a fault of ours and must not make the rest of the answer unreadable.
func TestBrokenEvent(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, &double{response: &chatv1.ListInboxResponse{Events: []*chatv1.Event{{Json: []byte(`{"a":`)}}}})
	checkError(t, call(t, h, "GET", "/api/v1/inbox", "", nil), 500, event.Internal, "")
}

// No header of a client becomes metadata: it can neither act as somebody else nor bend the call.
func TestClientHeadersStayOut(t *testing.T) {
	t.Parallel()
	d := &double{response: &chatv1.ListInboxResponse{}}
	h, _ := newHandler(t, d)
	response := call(t, h, "GET", "/api/v1/inbox", "", http.Header{
		"Grpc-Metadata-Fliliy-User-Id": {"Ym9i"}, "Fliliy-User-Id": {"Ym9i"}, "Grpc-Timeout": {"1n"},
		"Grpc-Metadata-X": {"secret"}, "Cookie": {"secret"}, "X-Forwarded-For": {"secret"}, "Te": {"trailers"},
	})
	if response.StatusCode != http.StatusOK || d.user != "alice" {
		t.Errorf("%d as %q, want 200 as alice", response.StatusCode, d.user)
	}
	for key, values := range d.metadata {
		for _, value := range values {
			if strings.Contains(value, "secret") || strings.Contains(value, "Bearer") || value == "Ym9i" {
				t.Errorf("metadata %s: %q came from the client's headers", key, value)
			}
		}
	}
	for key := range response.Header {
		if strings.HasPrefix(key, "Grpc-") {
			t.Errorf("gRPC header %s reached the client", key)
		}
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	h, _ := newHandler(t, &double{})
	response := call(t, h, "GET", "/api/v1/openapi.json", "", http.Header{"Authorization": nil})
	body := read(t, response)
	var doc struct {
		Swagger     string                    `json:"swagger"`
		Paths       map[string]map[string]any `json:"paths"`
		Definitions map[string]struct {
			Enum       []string `json:"enum"`
			Properties map[string]struct {
				Type string `json:"type"`
			} `json:"properties"`
		} `json:"definitions"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("the description is no JSON: %v", err)
	}
	if response.StatusCode != http.StatusOK || doc.Swagger != "2.0" {
		t.Errorf("%d, swagger %q", response.StatusCode, doc.Swagger)
	}
	if _, ok := doc.Paths["/api/v1/chat-rooms/{chatRoomId}/messages"]["post"]; !ok {
		t.Error("sending a message is not described")
	}
	types := map[string]string{}
	for _, name := range []string{"headSeq", "lastReadSeq", "unreadCount"} {
		types[name] = doc.Definitions["v1RoomSummary"].Properties[name].Type
	}
	types["chatRoomId"] = doc.Definitions["v1Room"].Properties["chatRoomId"].Type
	types["seq"] = doc.Definitions["ChatServiceMarkReadBody"].Properties["seq"].Type
	want := map[string]string{
		"headSeq": "integer", "lastReadSeq": "integer", "unreadCount": "integer", "chatRoomId": "string", "seq": "integer",
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"MEMBER", "OWNER"}, doc.Definitions["v1MemberRole"].Enum); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	for _, name := range strings.Split(body, `"#/definitions/`)[1:] {
		name, _, _ = strings.Cut(name, `"`)
		if _, ok := doc.Definitions[name]; !ok {
			t.Errorf("the description refers to %s and has no such definition", name)
		}
	}
	for _, internal := range []string{"RelayService", "protobufAny", "SendNotification"} {
		if strings.Contains(body, internal) {
			t.Errorf("the description names %s, which clients cannot reach", internal)
		}
	}
}
