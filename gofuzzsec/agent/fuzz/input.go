// Package fuzz is the part of the agent that lives inside a fuzz worker and decides what to run.
//
// In a boosted build these files become part of Go's internal/fuzz, so every name begins with "ag".
// They import only packages that a fuzz build does not instrument: whatever else they called would
// count as coverage of the target.
package fuzz

// Classes of argument types.
const (
	agBytes = iota
	agString
	agBool
	agSigned
	agUnsigned
	agFloat
)

// agKind is the type of one argument of the fuzz function.
type agKind struct {
	class uint8
	width uint8 // bytes of a scalar; 0 for agBytes and agString
}

// variable reports whether arguments of this kind differ in length.
func (k agKind) variable() bool { return k.width == 0 }

// agInput holds one value for every argument of the fuzz function, one after the other in data:
// bytes and strings as they are, scalars little-endian in their width, floats as their bits, a bool
// as 0 or 1. It owns data and ends; kinds is shared and never written.
type agInput struct {
	kinds []agKind
	data  []byte
	ends  []int // ends[i] is where argument i ends in data
}

// begin returns where argument i begins in data.
func (in *agInput) begin(i int) int {
	if i == 0 {
		return 0
	}
	return in.ends[i-1]
}

// arg returns argument i; it aliases data.
func (in *agInput) arg(i int) []byte { return in.data[in.begin(i):in.ends[i]] }

// copyFrom makes in equal to other, in the memory it has if that suffices.
func (in *agInput) copyFrom(other *agInput) {
	in.kinds = other.kinds
	in.data = append(in.data[:0], other.data...)
	in.ends = append(in.ends[:0], other.ends...)
}

// argAt returns the argument that holds data[pos], -1 when none does.
func (in *agInput) argAt(pos int) int {
	if pos >= 0 {
		for i, end := range in.ends {
			if pos < end {
				return i
			}
		}
	}
	return -1
}

// splice replaces data[from:to], which must lie within the variable argument i. with must not
// alias data.
func (in *agInput) splice(i, from, to int, with []byte) {
	grow := len(with) - (to - from)
	old := len(in.data)
	if grow > 0 {
		if cap(in.data) < old+grow {
			larger := make([]byte, old, 2*(old+grow))
			copy(larger, in.data)
			in.data = larger
		}
		in.data = in.data[:old+grow]
		copy(in.data[to+grow:], in.data[to:old])
	} else if grow < 0 {
		copy(in.data[to+grow:], in.data[to:])
		in.data = in.data[:old+grow]
	}
	copy(in.data[from:], with)
	for j := i; j < len(in.ends); j++ {
		in.ends[j] += grow
	}
}

// agRand is a small generator (O'Neill's PCG-XSH-RR family, 64 bits of state).
type agRand struct{ state uint64 }

func newAgRand(seed uint64) agRand {
	r := agRand{seed*2 + 0x9E3779B97F4A7C15}
	r.next()
	return r
}

// next returns 64 random bits.
func (r *agRand) next() uint64 {
	return uint64(r.half())<<32 | uint64(r.half())
}

func (r *agRand) half() uint32 {
	old := r.state
	r.state = old*6364136223846793005 + 1442695040888963407
	mixed := uint32((old>>18 ^ old) >> 27)
	turn := uint32(old >> 59)
	return mixed>>turn | mixed<<(-turn&31)
}

// below returns a number in [0, n), 0 when n is not positive.
func (r *agRand) below(n int) int {
	if n <= 0 {
		return 0
	}
	if n <= 1<<31-1 {
		return int(uint64(r.half()) * uint64(n) >> 32)
	}
	return int(r.next() % uint64(n))
}
