//go:build linux && (amd64 || arm64)

// Tracing: for the few executions that are looked at closely, every call is counted by its stack and
// the values of its deciding arguments (arguments_linux_*.go). Marks alone have the stack of a first
// caller only, behind which others with the same call hide.

package syscall

const (
	gofuzzsecTraceLimit = 256 // distinct calls of one traced execution: a guess, seen are 30
	// From so many on, values that are new are not told: stacks need the room.
	gofuzzsecValueLimit = 192
	gofuzzsecTold       = 1 << 32 // where a record says that it has values
)

var (
	// Word 0 of a record is a hash of the rest, 0 until that is written; word 1 has the feature above
	// the count, word 2 the number of PCs and gofuzzsecTold, word 3 the values. Read and emptied by the
	// agent.
	gofuzzsecTraces [gofuzzsecTraceLimit][gofuzzsecRecord]uint64
	gofuzzsecTraced uint32 // records taken, or wanted if that is over the limit
)

// gofuzzsecTrace counts a call that ended. Runs where gofuzzsecMark does. Two goroutines that make
// the first call from one place at the same time may take a record each.
//
//go:nosplit
//go:norace
func gofuzzsecTrace(feature uint32, a1, a2, a3, a4 uintptr) {
	var values, told uint64
	if deciding := gofuzzsecDeciding[feature/32%gofuzzsecCalls]; deciding != 0 {
		values, told = gofuzzsecValues(deciding, a1, a2, a3, a4), gofuzzsecTold
	}
	_, stack := gofuzzsecWalk(nil, 4)
	hash := gofuzzsecHash(stack, feature, values, told)
	if gofuzzsecRecount(hash, feature, values) {
		return
	}
	if told != 0 && gofuzzsecTraced >= gofuzzsecValueLimit {
		values, told = 0, 0
		if hash = gofuzzsecHash(stack, feature, 0, 0); gofuzzsecRecount(hash, feature, 0) {
			return
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
	n, _ := gofuzzsecWalk(record, 4)
	record[1], record[2], record[3] = uint64(feature)<<32|1, told|uint64(n), values
	gofuzzsecCas64(&record[0], 0, hash)
}

//go:nosplit
//go:norace
func gofuzzsecHash(stack uint64, feature uint32, values, told uint64) uint64 {
	return (((stack^values)*0x9e3779b97f4a7c15 ^ told) + uint64(feature) + 1) | 1
}

// gofuzzsecRecount counts a call that has a record once more; false if it has none.
//
//go:nosplit
//go:norace
func gofuzzsecRecount(hash uint64, feature uint32, values uint64) bool {
	for i := uint32(0); i < gofuzzsecTraced && i < gofuzzsecTraceLimit; i++ {
		record := &gofuzzsecTraces[i]
		for record[0] == hash && uint32(record[1]>>32) == feature && record[3] == values {
			if old := record[1]; gofuzzsecCas64(&record[1], old, old+1) {
				return true
			}
		}
	}
	return false
}

// GofuzzsecCall is how often a call with this feature and these values was made from one place.
type GofuzzsecCall struct {
	Feature, Count uint32
	Values         uint64    // of the deciding arguments, packed
	Told           bool      // whether Values says anything
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
		n := record[2] &^ gofuzzsecTold
		if !gofuzzsecCas64(&record[0], record[0], record[0]) || record[0] == 0 || n > gofuzzsecRecord-4 {
			continue // being written
		}
		calls = append(calls, GofuzzsecCall{
			Feature: uint32(record[1] >> 32),
			Count:   uint32(record[1]),
			Values:  record[3],
			Told:    record[2]&gofuzzsecTold != 0,
			Stack:   gofuzzsecWhole(record[4 : 4+n]),
		})
	}
	return calls, taken <= gofuzzsecTraceLimit
}
