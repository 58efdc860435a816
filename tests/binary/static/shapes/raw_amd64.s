#include "textflag.h"

// func markAssembly()
TEXT ·markAssembly(SB), NOSPLIT, $0-0
	MOVQ $-1, DI
	MOVL $164, AX // settimeofday
	SYSCALL
	RET

// func assemblyCall(a1, trap, a2 uintptr) (r1 uintptr)
TEXT ·assemblyCall(SB), NOSPLIT, $0-32
	MOVQ a1+0(FP), DI
	MOVQ a2+16(FP), SI
	MOVQ trap+8(FP), AX
	SYSCALL
	MOVQ AX, r1+24(FP)
	RET
