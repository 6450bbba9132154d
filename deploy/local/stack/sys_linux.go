package stack

import "syscall"

// attributes put a process into a group of its own, so that Ctrl-C reaches it
// through Stop only, and end it with this program, however that ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
