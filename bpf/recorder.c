// SPDX-License-Identifier: GPL-2.0-only
//
// The kernel's half of gofuzzsec's BPF recorder: counts the system calls of the processes it is
// told to follow, by goroutine, in maps. No event goes to user space, so none can be dropped; what
// does not fit a map is counted in struct state and makes the evidence incomplete.
//
// Loaded through bcc by gofuzzsec/syscalls/bpf/program.py, which puts the files included here in
// their places and in front of all the sizes of the maps, MACHINE_*, class_of() and
// values_of(), written from gofuzzsec/syscalls/classes.py and arguments.py. It knows the layout of every struct marked "shared".
//
// Only raw tracepoints and uprobes, no field of a kernel struct whose place is not stable: struct
// pt_regs is uapi; task_struct.pid is searched for at run time (on_enter's ASK). So headers of any
// kernel version will do. Needs Linux 5.15 (attach cookies; atomic operations that return).
//
// Words: a *slot* is one Following of user space. Its *own* processes run the program that it was
// told of, after the program's ELF entry point was reached. A *window* is a bit: what is inside is
// reported under it. *life* is unique to one process running one program.

#include "machine.h"
#include "maps.h"
#include "context.h"
#include "denied.h"
#include "calls.h"
#include "windows.h"
#include "cgo.h"

// The one program of all uprobes.
int on_probe(struct pt_regs *ctx)
{
	switch (COOKIE_KIND(bpf_get_attach_cookie(ctx))) {
	case ON_START:
		return on_start(ctx);
	case ON_CALL:
		return on_call(ctx);
	case ON_RETURN:
		return on_return(ctx);
	case ON_BORN:
		return on_born(ctx);
	case ON_RECOVER:
		return on_recover(ctx);
	case ON_GOEXIT:
		return on_goexit(ctx);
	case ON_C_CALL:
		return on_c_call(ctx);
	case ON_C_RETURN:
		return on_c_return(ctx);
	case ON_CALLBACK:
		return on_callback(ctx);
	case ON_CALLBACK_END:
		return on_callback_end(ctx);
	}
	return 0;
}
