//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// lock keeps others from the file for as long as this process lives.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another process writes it: %w", err)
	}
	return nil
}
