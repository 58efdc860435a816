//go:build cgo

package unseen

/*
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int times;

static void quietly(int rare) {
	if (rare)
		sched_get_priority_max(0);
}

// Makes calls in its 40th execution that it never makes again, then dies of what no input did.
static void once(int dies) {
	if (++times != 40)
		return;
	getpriority(0, 0);
	if (dies)
		kill(getpid(), SIGKILL);
}
*/
import "C"

// InC has C code call sched_get_priority_max, or not.
func InC(data []byte) { C.quietly(C.int(rare(data))) }

// Once has C code call getpriority in one execution of many, whatever the input.
func Once() { C.once(0) }

// Dies has C code do the same and then kill the process.
func Dies() { C.once(1) }
