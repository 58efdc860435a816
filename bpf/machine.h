// SPDX-License-Identifier: GPL-2.0-only
//
// What differs by processor: registers, and the numbers of the calls that the recorder itself knows.

#include <uapi/linux/ptrace.h>

#if defined(MACHINE_AMD64)
#define R_STACK(r) ((r)->sp)
#define R_IP(r) ((r)->ip)
#define R_FRAME(r) ((r)->bp)
#define R_G(r) ((r)->r14)
#define R_RESULT(r) ((r)->ax)
#define R_ARG0(r) ((r)->di)
#define R_ARG1(r) ((r)->si)
#define R_ARG2(r) ((r)->dx)
#define R_ARG3(r) ((r)->r10)
#define R_ARG4(r) ((r)->r8)
#define R_ARG5(r) ((r)->r9)
#define R_NUMBER(r) ((r)->orig_ax)
#define CALL_PUSHES 8 // bytes a call puts on the stack
#define NR_READ 0
#define NR_WRITE 1
#define NR_PRCTL 157
#define NR_EXECVE 59
#define NR_EXECVEAT 322
#define NR_CLONES(n) ((n) == 56 || (n) == 57 || (n) == 58 || (n) == 435)
#define NR_RT_SIGRETURN 15
#define NR_RESTART 219
#define NR_CLONE3 435
#define NR_PROBES(n) ((n) == 335 || (n) == 336) // uretprobe and uprobe: the kernel's own
#else // arm64: compiles, has never run
#define R_STACK(r) ((r)->sp)
#define R_IP(r) ((r)->pc)
#define R_FRAME(r) ((r)->regs[29])
#define R_G(r) ((r)->regs[28])
#define R_RESULT(r) ((r)->regs[0])
#define R_ARG0(r) ((r)->regs[0])
#define R_ARG1(r) ((r)->regs[1])
#define R_ARG2(r) ((r)->regs[2])
#define R_ARG3(r) ((r)->regs[3])
#define R_ARG4(r) ((r)->regs[4])
#define R_ARG5(r) ((r)->regs[5])
#define R_NUMBER(r) ((r)->syscallno)
#define CALL_PUSHES 0
#define NR_READ 63
#define NR_WRITE 64
#define NR_PRCTL 167
#define NR_EXECVE 221
#define NR_EXECVEAT 281
#define NR_CLONES(n) ((n) == 220 || (n) == 435)
#define NR_RT_SIGRETURN 139
#define NR_RESTART 128
#define NR_CLONE3 435
#define NR_PROBES(n) 0
#endif
