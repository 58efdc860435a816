//go:build !cgo

package callers

// InC needs cgo.
func InC() {}
