#include "textflag.h"

// func jump(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)
// The way golang.org/x/sys/unix makes its calls.
TEXT ·jump(SB), NOSPLIT, $0-80
	JMP syscall·RawSyscall6(SB)
