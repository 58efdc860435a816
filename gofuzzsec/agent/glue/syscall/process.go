package syscall

import _ "unsafe" // for go:linkname

// GofuzzsecAgent reports whether a coordinator that speaks to the agent has started this process.
// It is found out here, since every package that can read the environment is initialised later: no
// code of the target sees the variable, and no process that it starts.
var GofuzzsecAgent = gofuzzsecTake("GOFUZZSEC_AGENT") == "1"

func gofuzzsecTake(name string) string {
	value, set := Getenv(name)
	if set {
		Unsetenv(name)
	}
	return value
}

// GofuzzsecLocked reports whether the calling goroutine has its thread to itself.
//
//go:linkname GofuzzsecLocked runtime.lockedOSThread
func GofuzzsecLocked() bool
