package fuzz

import "sync/atomic"

// Recording of comparisons. The compiler puts a call before every integer and string comparison of
// a fuzz build; while agCmpOn is set the operands of those calls end in the log below, otherwise the
// call costs a load and a branch.
//
// The calls come from any goroutine, also several at once, and from functions that must not grow the
// stack. So nothing here allocates, locks or holds a pointer: the log is a fixed array, its places
// are handed out by an atomic counter, and a goroutine that outlives its execution can at worst
// spoil records. One goroutine, the agent's, switches agCmpOn, resets and reads.

const (
	agCmpMax     = 1 << 14 // records of one execution
	agCmpPoolMax = 1 << 20 // bytes of strings of one execution
	agCmpText    = 128     // bytes kept of one string
	agCmpSlots   = 1 << 13 // counters for the number of times a site was reached
	agCmpFirst   = 48      // records of one site: the first ones ...
	agCmpLate    = 4       // ... and the last ones, so that a loop's end is seen
	agCmpMutes   = 1 << 16 // bits of the mute table
)

const (
	agCmpConst = 1 << iota // a is a constant of the program
	agCmpFold              // equal without regard to case is equal
)

// agCmp is one comparison that was executed. Integers have their width in bytes; a string has width
// 0, its full length as value, and its first bytes in the pool.
type agCmp struct {
	site         uint64 // which comparison: the compiler's number with width and flags mixed in
	a, b         uint64
	aAt, bAt     uint32 // where the strings begin in the pool
	aKept, bKept uint16 // how much of them is there
	nth          uint32 // how often the site was reached before in this execution
	width, flags uint8
}

var (
	agCmpOn     bool
	agCmpUsed   uint32 // may run past agCmpMax: the excess was dropped
	agCmpFilled uint32 // bytes of the pool in use; may run past its end
	agCmpLog    [agCmpMax]agCmp
	agCmpPool   [agCmpPoolMax]byte
	agCmpCount  [agCmpSlots]uint32
	agCmpLast   [agCmpSlots][agCmpLate]uint32
	agCmpMuted  [agCmpMutes / 64]uint64
)

// agCmpReset empties the log; agCmpOn is its caller's.
func agCmpReset() {
	for i := range agCmpCount {
		agCmpCount[i] = 0
	}
	atomic.StoreUint32(&agCmpUsed, 0)
	atomic.StoreUint32(&agCmpFilled, 0)
}

// agCmpRecords returns what was recorded since agCmpReset, in order, and aliases the log.
func agCmpRecords() []agCmp {
	n := atomic.LoadUint32(&agCmpUsed)
	if n > agCmpMax {
		n = agCmpMax
	}
	return agCmpLog[:n]
}

// agCmpDropped returns how many records found the log full.
func agCmpDropped() int {
	if n := atomic.LoadUint32(&agCmpUsed); n > agCmpMax {
		return int(n - agCmpMax)
	}
	return 0
}

// agCmpMute makes the hooks pass over a site. Sites that share its bit are lost too, which the size
// of the table makes rare.
func agCmpMute(site uint64) {
	bit := agCmpHash(site) % agCmpMutes
	agCmpMuted[bit/64] |= 1 << (bit % 64)
}

func agCmpIsMuted(site uint64) bool {
	bit := agCmpHash(site) % agCmpMutes
	return agCmpMuted[bit/64]>>(bit%64)&1 != 0
}

func agCmpUnmuteAll() {
	for i := range agCmpMuted {
		agCmpMuted[i] = 0
	}
}

// agCmpHash spreads a site's number over 32 bits (multiplication by 2^64 over the golden ratio).
//
//go:nosplit
func agCmpHash(site uint64) uint32 { return uint32(site * 0x9E3779B97F4A7C15 >> 32) }

// agCmpPlace gives the place in the log for the next record of a site, nil for none.
//
//go:nosplit
//go:norace
func agCmpPlace(site uint64) *agCmp {
	hash := agCmpHash(site)
	if agCmpMuted[hash%agCmpMutes/64]>>(hash%64)&1 != 0 {
		return nil
	}
	slot := hash >> 8 % agCmpSlots
	nth := agCmpCount[slot]
	agCmpCount[slot] = nth + 1
	var at uint32
	if nth < agCmpFirst+agCmpLate {
		if atomic.LoadUint32(&agCmpUsed) > 1<<30 {
			return nil
		}
		at = atomic.AddUint32(&agCmpUsed, 1) - 1
		if nth >= agCmpFirst {
			agCmpLast[slot][nth%agCmpLate] = at
		}
	} else {
		at = agCmpLast[slot][nth%agCmpLate]
	}
	if at >= agCmpMax {
		return nil
	}
	place := &agCmpLog[at]
	place.site, place.nth = site, nth
	return place
}

// agTraceInt records a comparison of two integers of width bytes; with constant set, a is one.
//
//go:nosplit
//go:norace
func agTraceInt(width uint8, a, b uint64, site uint, constant bool) {
	flags := uint8(0)
	if constant {
		flags = agCmpConst
	}
	place := agCmpPlace(uint64(site)&(1<<40-1) | uint64(width)<<40 | uint64(flags)<<48)
	if place == nil {
		return
	}
	place.a, place.b = a, b
	place.width, place.flags = width, flags
	place.aKept, place.bKept = 0, 0
}

// agTraceStr records a comparison of two strings, of which it copies the beginning.
//
//go:nosplit
//go:norace
func agTraceStr(a, b string, site uint, fold bool) {
	flags := uint8(0)
	if fold {
		flags = agCmpFold
	}
	place := agCmpPlace(uint64(site)&(1<<40-1) | uint64(flags)<<48)
	if place == nil {
		return
	}
	place.a, place.b = uint64(len(a)), uint64(len(b))
	place.width, place.flags = 0, flags
	place.aAt, place.aKept = agCmpKeep(a)
	place.bAt, place.bKept = agCmpKeep(b)
}

// agCmpKeep copies the beginning of a string into the pool, nothing when the pool is full.
//
//go:nosplit
//go:norace
func agCmpKeep(s string) (at uint32, kept uint16) {
	n := uint32(len(s))
	if n > agCmpText {
		n = agCmpText
	}
	if n == 0 || atomic.LoadUint32(&agCmpFilled) > agCmpPoolMax-agCmpText {
		return 0, 0
	}
	at = atomic.AddUint32(&agCmpFilled, n) - n
	if at > agCmpPoolMax-agCmpText {
		return 0, 0
	}
	copy(agCmpPool[at:at+n], s)
	return at, uint16(n)
}
