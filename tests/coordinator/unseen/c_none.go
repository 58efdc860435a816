//go:build !cgo

package unseen

// InC does nothing without cgo.
func InC([]byte) {}

// Once does nothing without cgo.
func Once() {}

// Dies does nothing without cgo.
func Dies() {}
