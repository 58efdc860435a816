#include "textflag.h"

// func markAssembly()
TEXT ·markAssembly(SB), NOSPLIT, $0-0
	MOVD $-1, R0
	MOVD $170, R8 // settimeofday
	SVC
	RET

// func assemblyCall(a1, trap, a2 uintptr) (r1 uintptr)
TEXT ·assemblyCall(SB), NOSPLIT, $0-32
	MOVD a1+0(FP), R0
	MOVD a2+16(FP), R1
	MOVD trap+8(FP), R8
	SVC
	MOVD R0, r1+24(FP)
	RET
