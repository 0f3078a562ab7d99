//go:build faultpoints && linux

package commit

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// pending is the signal that the process sends itself after the next commit: SIGKILL after SIGUSR1 has armed it,
// SIGSTOP after SIGUSR2. 0: none.
var pending atomic.Int32

func init() {
	armed := make(chan os.Signal, 2)
	signal.Notify(armed, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range armed {
			if s == syscall.SIGUSR1 {
				pending.Store(int32(syscall.SIGKILL))
			} else {
				pending.Store(int32(syscall.SIGSTOP))
			}
		}
	}()
}

// afterCommit ends or freezes the process, once armed, between the commit of events and their publication. Before, it
// says on standard error which they are: "faultpoint: committed, not published: ROOM-SEQ ...".
func afterCommit(events []chat.Event) {
	if len(events) == 0 || pending.Load() == 0 {
		return
	}
	names := make([]string, len(events))
	for i := range events {
		names[i] = strconv.FormatInt(events[i].Log.Room, 10) + "-" + strconv.FormatInt(events[i].Seq, 10)
	}
	fmt.Fprintln(os.Stderr, "faultpoint: committed, not published:", strings.Join(names, " "))
	runtime.LockOSThread() // to this very thread: it acts before Tgkill returns
	defer runtime.UnlockOSThread()
	_ = syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.Signal(pending.Swap(0)))
}
