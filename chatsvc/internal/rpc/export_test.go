package rpc

import (
	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Parse reads a command: its drafts, or what is wrong with it.
func Parse(c *chatv1.RelayCommand) ([]chat.Draft, error) {
	j := &job{user: c.GetUserId()}
	if bad := parse(c, j); bad != nil {
		return nil, bad.err
	}
	return j.sends, nil
}
