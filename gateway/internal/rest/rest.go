// Package rest is the gateway's REST facade: /api/v1/... as HTTP and JSON over gRPC ChatService, by grpc-gateway. It
// checks tokens and the form of requests; what a user may do is decided by the chat service. It knows nothing of
// sessions. The gateway's facade mounts its handler at /api/v1/; more specific patterns may stand beside it.
//
// The JSON is the client contract's, not protojson (see marshal.go): room ids are strings, seqs and counts numbers,
// times RFC 3339 in UTC with milliseconds, and events are the very JSON that STOMP clients receive. Fields of a
// request that are not known are ignored: a body may claim a sender, and nobody listens. Errors are
// {"code","message"} with the codes of the contract.
package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
)

// MaxBody is the largest request body, in bytes.
const MaxBody = 64 << 10

// timeout is how long a request may take.
const timeout = 5 * time.Second

// openAPIPath is where the description of all this is served, to everyone.
const openAPIPath = "/api/v1/openapi.json"

// Option changes the handler.
type Option func(*handler)

// WithLogger sets where faults of ours are logged; the default is slog.Default().
func WithLogger(logger *slog.Logger) Option {
	return func(h *handler) { h.logger = logger }
}

type handler struct {
	auth    Authenticator
	logger  *slog.Logger
	mux     *runtime.ServeMux
	openAPI *document

	tickets    Tickets // nil: there are none
	ticketLife time.Duration
}

// Handler serves all paths under /api/v1/ over a connection to the chat service. It panics only on faults of the
// build itself: a broken embedded OpenAPI file.
func Handler(cc grpc.ClientConnInterface, auth Authenticator, options ...Option) http.Handler {
	h := &handler{auth: auth, logger: slog.Default()}
	for _, option := range options {
		option(h)
	}
	h.openAPI = newDocument(h.tickets != nil)
	h.mux = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler{}),
		runtime.WithIncomingHeaderMatcher(noHeader),
		runtime.WithOutgoingHeaderMatcher(noHeader),
		runtime.WithOutgoingTrailerMatcher(noHeader),
		runtime.WithMetadata(actingUser),
		runtime.WithMiddlewares(checkNumbers, exactUserID),
		runtime.WithForwardResponseOption(createdStatus),
		runtime.WithErrorHandler(h.callFailed),
		runtime.WithRoutingErrorHandler(h.notRouted),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptSlash),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithWriteContentLength(),
	)
	if err := chatv1.RegisterChatServiceHandlerClient(context.Background(), h.mux,
		chatv1.NewChatServiceClient(cc)); err != nil {
		panic("rest: register ChatService: " + err.Error())
	}
	return h
}

// noHeader lets no HTTP header become gRPC metadata, nor the reverse: who acts is said by actingUser alone.
func noHeader(string) (string, bool) { return "", false }

type userKey struct{}

// actingUser puts the token's user where the chat service looks for it.
func actingUser(ctx context.Context, _ *http.Request) metadata.MD {
	user, _ := ctx.Value(userKey{}).(string)
	none := metadata.NewOutgoingContext(ctx, metadata.MD{})
	md, _ := metadata.FromOutgoingContext(identity.WithUser(none, user))
	return md
}

// createdStatus answers 201 when the room is new, and 200 when it was found.
func createdStatus(_ context.Context, w http.ResponseWriter, response proto.Message) error {
	if room, ok := response.(interface{ GetCreated() bool }); ok && room.GetCreated() {
		w.WriteHeader(http.StatusCreated)
	}
	return nil
}

// checkNumbers lets only canonical positive room ids and seqs through.
func checkNumbers(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		for param, name := range map[string]string{"chat_room_id": "chat room id", "seq": "seq"} {
			text, ok := params[param]
			if !ok {
				continue
			}
			if n, err := strconv.ParseInt(text, 10, 64); err != nil || n <= 0 || strconv.FormatInt(n, 10) != text {
				writeError(w, http.StatusBadRequest, &event.Error{
					Code:    event.Invalid,
					Message: name + " " + quote(text) + " is not a positive whole number in decimal",
				})
				return
			}
		}
		next(w, r, params)
	}
}

// exactUserID takes the user id from the path as it was sent: grpc-gateway leaves an encoded slash encoded.
func exactUserID(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		if _, ok := params["user_id"]; ok {
			escaped := r.URL.EscapedPath()
			if id, err := url.PathUnescape(escaped[strings.LastIndexByte(escaped, '/')+1:]); err == nil {
				params["user_id"] = id
			}
		}
		next(w, r, params)
	}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	if r.URL.Path == openAPIPath {
		h.openAPI.ServeHTTP(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	user, token, err := h.user(ctx, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	body, status, refused := readBody(w, r)
	if refused != nil {
		writeError(w, status, refused)
		return
	}
	if r.URL.Path == ticketPath && h.tickets != nil {
		h.issueTicket(w, r.WithContext(ctx), token)
		return
	}
	// What goes on is a request of our own making: none of the client's headers means anything to the mux.
	clean := r.WithContext(context.WithValue(ctx, userKey{}, user))
	clean.Header = http.Header{"Content-Type": {"application/json"}}
	clean.Body = io.NopCloser(bytes.NewReader(body))
	h.mux.ServeHTTP(w, clean)
}

// user is the user whose bearer token the request carries, and that token.
func (h *handler) user(ctx context.Context, r *http.Request) (user, token string, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", "", &event.Error{
			Code: event.Unauthenticated, Message: `a token is needed: send the header "Authorization: Bearer <token>"`,
		}
	}
	who, err := h.auth.Verify(ctx, token)
	return who.User, token, err
}

// readBody reads the body of a POST or PATCH, which must be JSON; without a body it needs no content type. That a
// browser's form cannot post here closes cross-site requests, beside the token that they do not have. Other methods
// have no body that anyone reads.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, status int, refused *event.Error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPatch {
		return nil, 0, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, http.StatusRequestEntityTooLarge, &event.Error{
				Code: event.TooLarge, Message: "the body is over " + strconv.Itoa(MaxBody) + " bytes",
			}
		}
		return nil, http.StatusBadRequest, &event.Error{
			Code: event.Invalid, Message: "the body ended before all of it had come",
		}
	}
	contentType := r.Header.Get("Content-Type")
	if len(body) == 0 && contentType == "" {
		return nil, 0, nil
	}
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
		return nil, http.StatusUnsupportedMediaType, &event.Error{
			Code: event.Invalid, Message: `the body must be JSON: send the header "Content-Type: application/json"`,
		}
	}
	return body, 0, nil
}
