// Package identity carries who acts from a gateway, or an internal service, to chatsvc in gRPC metadata, and says
// what a user id is.
package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/metadata"
)

// UserKey is the metadata key of the acting user's id, in unpadded base64url, since metadata values are ASCII.
const UserKey = "fliliy-user-id"

// MaxUserID is the largest length of a user id, in bytes.
const MaxUserID = 128

// ErrNoUser is returned by User when the call names no acting user.
var ErrNoUser = errors.New("the call names no acting user: set metadata " + UserKey)

// WithUser returns a context whose outgoing calls act as the user.
func WithUser(ctx context.Context, userID string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, UserKey, base64.RawURLEncoding.EncodeToString([]byte(userID)))
}

// User returns the acting user of an incoming call: ErrNoUser without one, another error when it is no user id.
func User(ctx context.Context) (string, error) {
	values := metadata.ValueFromIncomingContext(ctx, UserKey)
	if len(values) == 0 {
		return "", ErrNoUser
	}
	if len(values) > 1 {
		return "", fmt.Errorf("metadata %s is set %d times, want once", UserKey, len(values))
	}
	raw, err := base64.RawURLEncoding.DecodeString(values[0])
	if err != nil {
		return "", fmt.Errorf("metadata %s: %w", UserKey, err)
	}
	if err := ValidUserID(string(raw)); err != nil {
		return "", fmt.Errorf("metadata %s: %w", UserKey, err)
	}
	return string(raw), nil
}

// ValidUserID says whether a string may be a user id: 1 to MaxUserID bytes of UTF-8 without control characters.
func ValidUserID(id string) error {
	switch {
	case id == "":
		return errors.New("user id is empty")
	case len(id) > MaxUserID:
		return fmt.Errorf("user id has %d bytes, at most %d are allowed", len(id), MaxUserID)
	case !utf8.ValidString(id):
		return errors.New("user id is not valid UTF-8")
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return errors.New("user id has a control character")
		}
	}
	return nil
}
