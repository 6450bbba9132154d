//go:build !linux

package stack

import "syscall"

// attributes put a process into a group of its own, so that Ctrl-C reaches it
// through Stop only.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
