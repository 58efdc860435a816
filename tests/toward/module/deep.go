// Package deep makes system calls behind more and more conditions.
package deep

import (
	"os"
	"strings"
	"syscall"
)

// Run does what the letters say.
func Run(text string) {
	if len(text) == 0 {
		return
	}
	switch text[0] {
	case 'a':
		shallow()
	case 'b':
		elsewhere(text)
	case 'c':
		if len(text) > 2 && text[1] == 'd' {
			if text[2] == 'e' {
				deepest()
			}
		}
	}
}

//go:noinline
func shallow() { syscall.Getppid() }

//go:noinline
func elsewhere(text string) {
	for _, c := range text {
		if c == 'x' {
			os.Getpagesize()
		}
	}
}

//go:noinline
func deepest() { syscall.Sync() }

// Unused is called by nobody.
func Unused() { syscall.Umask(0) }

// Command reads a verb with flags, of which one leads to a system call.
func Command(text string) {
	var flags uint32
	fields := strings.Fields(text)
	for _, word := range fields {
		if len(word) == 2 && word[0] == '-' && 'a' <= word[1] && word[1] <= 'z' {
			flags |= 1 << (word[1] - 'a')
		}
	}
	if len(fields) > 0 && fields[0] == "show" && flags&(1<<('q'-'a')) != 0 {
		syscall.Getpgid(0)
	}
}
