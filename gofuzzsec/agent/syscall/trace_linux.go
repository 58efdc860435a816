//go:build linux && (amd64 || arm64)

// Tracing: for the few executions that are looked at closely, every call is counted by its stack.
// Marks alone have the stack of a first caller only, behind which others with the same call hide.

package syscall

const gofuzzsecTraceLimit = 256 // distinct stacks of one traced execution: a guess, seen are 30

var (
	// Word 0 of a record is a hash of stack and feature, 0 until the rest is written; word 1 has the
	// feature above the count, word 2 the number of PCs. Read and emptied by the agent.
	gofuzzsecTraces [gofuzzsecTraceLimit][gofuzzsecRecord]uint64
	gofuzzsecTraced uint32 // records taken, or wanted if that is over the limit
)

// gofuzzsecTrace counts a call that ended. Runs where gofuzzsecMark does. Two goroutines that make
// the first call from one place at the same time may take a record each.
//
//go:nosplit
//go:norace
func gofuzzsecTrace(feature uint32) {
	_, hash := gofuzzsecWalk(nil, 3)
	hash = (hash + uint64(feature) + 1) | 1
	for i := uint32(0); i < gofuzzsecTraced && i < gofuzzsecTraceLimit; i++ {
		record := &gofuzzsecTraces[i]
		for record[0] == hash && uint32(record[1]>>32) == feature {
			if old := record[1]; gofuzzsecCas64(&record[1], old, old+1) {
				return
			}
		}
	}
	at := gofuzzsecTraced
	for at <= gofuzzsecTraceLimit && !gofuzzsecCas(&gofuzzsecTraced, at, at+1) {
		at = gofuzzsecTraced
	}
	if at >= gofuzzsecTraceLimit {
		return
	}
	record := &gofuzzsecTraces[at]
	n, _ := gofuzzsecWalk(record, 3)
	record[1], record[2] = uint64(feature)<<32|1, uint64(n)
	gofuzzsecCas64(&record[0], 0, hash)
}

// GofuzzsecCall is how often a call with this feature was made from one place.
type GofuzzsecCall struct {
	Feature, Count uint32
	Stack          []uintptr // as of GofuzzsecStack
}

// GofuzzsecTrace starts or ends tracing; what was traced before is gone when it starts. For the
// goroutine that resets. A goroutine left behind that is being traced at that very moment may
// leave a damaged stack.
//
//go:norace
func GofuzzsecTrace(on bool) {
	t := gofuzzsecNow
	t.now &^= gofuzzsecTracing
	if !on {
		return
	}
	for i := range gofuzzsecTraces {
		gofuzzsecTraces[i][0] = 0
	}
	gofuzzsecTraced = 0
	t.now |= gofuzzsecTracing
}

// GofuzzsecTraced gives what was traced, in order of first occurrence, and whether that is all.
// Calls that did not end are missing: GofuzzsecMarks has those. Allocates.
//
//go:norace
func GofuzzsecTraced() (calls []GofuzzsecCall, complete bool) {
	taken := gofuzzsecTraced
	for i := uint32(0); i < taken && i < gofuzzsecTraceLimit; i++ {
		record := &gofuzzsecTraces[i]
		n := record[2]
		if !gofuzzsecCas64(&record[0], record[0], record[0]) || record[0] == 0 || n > gofuzzsecRecord-3 {
			continue // being written
		}
		calls = append(calls, GofuzzsecCall{
			Feature: uint32(record[1] >> 32),
			Count:   uint32(record[1]),
			Stack:   gofuzzsecWhole(record[3 : 3+n]),
		})
	}
	return calls, taken <= gofuzzsecTraceLimit
}
