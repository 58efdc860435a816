// Package plain is package unseen without C code, which changes how the runtime makes its calls.
package plain

import (
	"os/exec"
	"os/signal"
	"syscall"
)

// rare is 1 for the upper half of the values of data's first byte.
func rare(data []byte) int { return int((append(data, 0)[0]) >> 7) }

// Child has a started process call umask, or not.
func Child(data []byte) error {
	return exec.Command("/bin/sh", "-c", [2]string{":", "umask 0"}[rare(data)]).Run()
}

// Runtime has the Go runtime call rt_sigaction, or not: it handles SIGUSR1, but nobody can SIGKILL.
func Runtime(data []byte) {
	signal.Ignore([2]syscall.Signal{syscall.SIGKILL, syscall.SIGUSR1}[rare(data)])
}
