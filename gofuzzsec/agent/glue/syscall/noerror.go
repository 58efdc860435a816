package syscall

// rawSyscallNoError stands for the function of the same name, whose declaration a patch takes out
// and whose assembly another one renames. A forked child calls it, where the stack must not grow.
//
//go:uintptrkeepalive
//go:nosplit
//go:norace
func rawSyscallNoError(trap, a1, a2, a3 uintptr) (r1, r2 uintptr) {
	call := gofuzzsecEnter(trap, a1, a2, a3, 0)
	r1, r2 = gofuzzsecSyscallNoError(trap, a1, a2, a3)
	gofuzzsecLeave(call, 0, a1, a2, a3, 0)
	return
}

// gofuzzsecSyscallNoError is the assembly.
func gofuzzsecSyscallNoError(trap, a1, a2, a3 uintptr) (r1, r2 uintptr)
