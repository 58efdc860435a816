//go:build cgo

package callers

/*
#include <sys/stat.h>
static int make_a_fifo(void) { return mkfifo("/nonexistent/fifo", 0600); }
*/
import "C"

// InC makes a call (mknodat) in C.
func InC() { C.make_a_fifo() }
