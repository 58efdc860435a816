// Package other has a function of the same name as one of package lib.
package other

// Run does nothing.
//
//go:noinline
func Run() {}
