package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/wire"
)

// statuses are the HTTP statuses of the contract's codes.
var statuses = map[event.Code]int{
	event.Unauthenticated: http.StatusUnauthorized,
	event.TokenExpired:    http.StatusUnauthorized,
	event.Forbidden:       http.StatusForbidden,
	event.Invalid:         http.StatusBadRequest,
	event.TooLarge:        http.StatusRequestEntityTooLarge,
	event.RateLimited:     http.StatusTooManyRequests,
	event.SlowConsumer:    http.StatusServiceUnavailable,
	event.Unavailable:     http.StatusServiceUnavailable,
	event.Internal:        http.StatusInternalServerError,
}

// writeError answers with an error of the contract.
func writeError(w http.ResponseWriter, httpStatus int, refused *event.Error) {
	body, err := json.Marshal(struct {
		Code    event.Code `json:"code"`
		Message string     `json:"message"`
	}{refused.Code, refused.Message})
	if err != nil { // strings always marshal
		body = []byte(`{"code":"INTERNAL","message":""}`)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if httpStatus == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer")
	}
	if httpStatus == http.StatusTooManyRequests || httpStatus == http.StatusServiceUnavailable {
		seconds := (refused.RetryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.FormatInt(int64(max(seconds, 1)), 10))
	}
	w.WriteHeader(httpStatus)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// refuse answers with whatever ended the request. Faults of ours are logged here, and clients get a text of ours.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	refused := wire.Failed(err)
	httpStatus, ok := statuses[refused.Code]
	if !ok {
		httpStatus = http.StatusInternalServerError
	}
	if httpStatus == http.StatusInternalServerError {
		h.logger.ErrorContext(r.Context(), "REST request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	writeError(w, httpStatus, refused)
}

// callFailed answers for a call that was not made or that failed.
func (h *handler) callFailed(
	_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error,
) {
	if malformed, ok := errors.AsType[*runtime.HTTPStatusError](err); ok {
		writeError(w, malformed.HTTPStatus, &event.Error{
			Code: event.Invalid, Message: "the path is not well-formed: " + malformed.Err.Error(),
		})
		return
	}
	// INVALID_ARGUMENT without details is grpc-gateway's own, about a body or a query that it could not read.
	if st, ok := status.FromError(err); ok && st.Code() == codes.InvalidArgument && len(st.Details()) == 0 {
		err = &event.Error{Code: event.Invalid, Message: st.Message()}
	}
	h.refuse(w, r, err)
}

// notRouted answers for a path or a method that is not there.
func (h *handler) notRouted(
	_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, httpStatus int,
) {
	message := "the path is not well-formed"
	switch httpStatus {
	case http.StatusNotFound:
		message = "there is nothing at this path; " + openAPIPath + " lists what there is"
	case http.StatusMethodNotAllowed:
		allowed := strings.Join(h.openAPI.methods(r.URL.Path), ", ")
		w.Header().Set("Allow", allowed)
		message = "this path does not take " + quote(r.Method) + ", only " + allowed
	}
	writeError(w, httpStatus, &event.Error{Code: event.Invalid, Message: message})
}

// quote shows a client's text in a message, on one line and not at length.
func quote(s string) string {
	const longest = 64
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return strconv.Quote(s)
}
