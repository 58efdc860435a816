#include "textflag.h"

// func gofuzzsecCas(address *uint32, old, new uint32) bool
TEXT ·gofuzzsecCas(SB), NOSPLIT|NOFRAME, $0-17
	MOVD address+0(FP), R0
	MOVW old+8(FP), R1
	MOVW new+12(FP), R2
again:
	LDAXRW (R0), R3
	CMPW R1, R3
	BNE differs
	STLXRW R2, (R0), R4
	CBNZ R4, again
	MOVD $1, R5
	MOVB R5, ret+16(FP)
	RET
differs:
	MOVB ZR, ret+16(FP)
	RET

// func gofuzzsecCas64(address *uint64, old, new uint64) bool
TEXT ·gofuzzsecCas64(SB), NOSPLIT|NOFRAME, $0-25
	MOVD address+0(FP), R0
	MOVD old+8(FP), R1
	MOVD new+16(FP), R2
again:
	LDAXR (R0), R3
	CMP R1, R3
	BNE differs
	STLXR R2, (R0), R4
	CBNZ R4, again
	MOVD $1, R5
	MOVB R5, ret+24(FP)
	RET
differs:
	MOVB ZR, ret+24(FP)
	RET

// func gofuzzsecFrame() (fp, sp, top uintptr)
// The first words of g are the bounds of its stack.
TEXT ·gofuzzsecFrame(SB), NOSPLIT|NOFRAME, $0-24
	MOVD R29, fp+0(FP)
	MOVD RSP, R0
	MOVD R0, sp+8(FP)
	MOVD 8(g), R1
	MOVD R1, top+16(FP)
	RET
