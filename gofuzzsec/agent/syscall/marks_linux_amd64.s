#include "textflag.h"

// func gofuzzsecCas(address *uint32, old, new uint32) bool
TEXT ·gofuzzsecCas(SB), NOSPLIT|NOFRAME, $0-17
	MOVQ address+0(FP), BX
	MOVL old+8(FP), AX
	MOVL new+12(FP), CX
	LOCK
	CMPXCHGL CX, 0(BX)
	SETEQ ret+16(FP)
	RET

// func gofuzzsecCas64(address *uint64, old, new uint64) bool
TEXT ·gofuzzsecCas64(SB), NOSPLIT|NOFRAME, $0-25
	MOVQ address+0(FP), BX
	MOVQ old+8(FP), AX
	MOVQ new+16(FP), CX
	LOCK
	CMPXCHGQ CX, 0(BX)
	SETEQ ret+24(FP)
	RET

// func gofuzzsecFrame() (fp, sp, top uintptr)
// The first words of g are the bounds of its stack.
TEXT ·gofuzzsecFrame(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ (TLS), AX
	MOVQ 8(AX), AX
	MOVQ BP, fp+0(FP)
	MOVQ SP, sp+8(FP)
	MOVQ AX, top+16(FP)
	RET
