package fleet

import "syscall"

// orphansDie makes the kernel kill a child when this process ends without doing so, and keeps Ctrl-C for this process,
// which then ends its children in good order.
func orphansDie() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
