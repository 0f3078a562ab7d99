//go:build !linux

package redistest

import "syscall"

// dieWithParent can be had on Linux only: elsewhere a killed test leaves its server behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
