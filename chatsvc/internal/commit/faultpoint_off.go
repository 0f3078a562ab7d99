//go:build !faultpoints || !linux

package commit

import "github.com/fliliy/chat/chatsvc/internal/chat"

// afterCommit is where deploy/faults breaks a service between commit and publish; a normal build does nothing here.
func afterCommit([]chat.Event) {}
