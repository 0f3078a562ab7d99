//go:build !linux

package fleet

import "syscall"

// orphansDie can be had on Linux only: elsewhere a killed run leaves its children behind.
func orphansDie() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
