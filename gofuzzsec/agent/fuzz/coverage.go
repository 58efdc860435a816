package fuzz

import (
	"math/bits"
	"unsafe"
)

// agCoverage reads the counters that the instrumented code increments, and says what is new.
//
// One byte of known stands for one counter, its bits for the eight buckets of a count (1, 2-3, 4-7,
// … 128-255), as in internal/fuzz. Behind the counters known goes on with one bit for each system
// call feature. An execution's coverage is held as the words of eight counters that are not zero:
// finding them is one pass of wide loads, everything else costs in proportion to what was touched.
type agCoverage struct {
	counters []byte // the binary's own; increments by left-over goroutines may race with us
	known    []byte // len(counters) padded to 8, then the system call bits
	padded   int    // where the system call bits begin in known
	index    []uint32
	value    []uint64 // value[k] is the word at counters[8*index[k]], as buckets
	touched  int      // how many of index and value are in use
	calls    []uint32 // system call features of the execution
	fresh    bool     // something of the execution is not in known
}

func newAgCoverage(counters []byte, callFeatures int) *agCoverage {
	words := (len(counters) + 7) / 8
	return &agCoverage{
		counters: counters,
		known:    make([]byte, words*8+(callFeatures+7)/8),
		padded:   words * 8,
		index:    make([]uint32, words),
		value:    make([]uint64, words),
		calls:    make([]uint32, 0, 256),
	}
}

// clear zeroes all counters. Executions leave them so; only code that ran between two of them can
// have changed that.
func (c *agCoverage) clear() {
	for i := range c.counters {
		c.counters[i] = 0
	}
}

// agBuckets replaces each byte of a word by its highest bit.
func agBuckets(w uint64) uint64 {
	w |= w >> 1 & 0x7f7f7f7f7f7f7f7f
	w |= w >> 2 & 0x3f3f3f3f3f3f3f3f
	w |= w >> 4 & 0x0f0f0f0f0f0f0f0f
	return w - (w >> 1 & 0x7f7f7f7f7f7f7f7f)
}

// snapshot takes the coverage of the execution that just ended and leaves the counters zero.
func (c *agCoverage) snapshot() {
	c.touched, c.fresh = 0, false
	n := len(c.counters)
	if n == 0 {
		return
	}
	base := unsafe.Pointer(&c.counters[0])
	known := unsafe.Pointer(&c.known[0])
	whole := n &^ 7
	at := 0
	for ; at+64 <= whole; at += 64 {
		p := (*[8]uint64)(unsafe.Add(base, at))
		if p[0]|p[1]|p[2]|p[3]|p[4]|p[5]|p[6]|p[7] == 0 {
			continue
		}
		for k := range p {
			if w := p[k]; w != 0 {
				p[k] = 0
				c.touch(uint32(at/8+k), w, known)
			}
		}
	}
	for ; at < whole; at += 8 {
		p := (*uint64)(unsafe.Add(base, at))
		if w := *p; w != 0 {
			*p = 0
			c.touch(uint32(at/8), w, known)
		}
	}
	var rest uint64
	for i := whole; i < n; i++ {
		rest |= uint64(c.counters[i]) << (8 * uint(i-whole))
		c.counters[i] = 0
	}
	if rest != 0 {
		c.touch(uint32(whole/8), rest, known)
	}
}

func (c *agCoverage) touch(index uint32, w uint64, known unsafe.Pointer) {
	w = agBuckets(w)
	c.index[c.touched], c.value[c.touched] = index, w
	c.touched++
	if w&^*(*uint64)(unsafe.Add(known, 8*int(index))) != 0 {
		c.fresh = true
	}
}

// judgeCalls looks at the system call features of the execution, which c.calls holds.
func (c *agCoverage) judgeCalls() {
	for _, f := range c.calls {
		if at := c.padded + int(f>>3); at < len(c.known) && c.known[at]>>(f&7)&1 == 0 {
			c.fresh = true
		}
	}
}

// freshFeatures appends what of the execution is not known.
func (c *agCoverage) freshFeatures(to []uint32) []uint32 {
	for k := 0; k < c.touched; k++ {
		w := c.value[k] &^ *(*uint64)(unsafe.Pointer(&c.known[8*c.index[k]]))
		to = agFeaturesOf(to, c.index[k], w)
	}
	for _, f := range c.calls {
		if at := c.padded + int(f>>3); at < len(c.known) && c.known[at]>>(f&7)&1 == 0 {
			to = append(to, uint32(c.padded)*8+f)
		}
	}
	return to
}

// features appends everything the execution covered, in ascending order but for the system calls.
func (c *agCoverage) features(to []uint32) []uint32 {
	for k := 0; k < c.touched; k++ {
		to = agFeaturesOf(to, c.index[k], c.value[k])
	}
	for _, f := range c.calls {
		to = append(to, uint32(c.padded)*8+f)
	}
	return to
}

func agFeaturesOf(to []uint32, index uint32, w uint64) []uint32 {
	for i := uint32(0); w != 0; i++ {
		for b := byte(w); b != 0; b &= b - 1 {
			to = append(to, (index*8+i)*8+uint32(bits.TrailingZeros8(b)))
		}
		w >>= 8
	}
	return to
}

// has reports whether the execution covered all of features.
func (c *agCoverage) has(features []uint32) bool {
	k := 0
	for _, f := range features {
		if int(f>>3) >= c.padded {
			if !agContains(c.calls, f-uint32(c.padded)*8) {
				return false
			}
			continue
		}
		word := f >> 6
		for k < c.touched && c.index[k] < word {
			k++
		}
		if k == c.touched || c.index[k] != word || c.value[k]>>(f&63)&1 == 0 {
			return false
		}
	}
	return true
}

// common returns those of features, which it overwrites, that the execution covered as well.
func (c *agCoverage) common(features []uint32) []uint32 {
	kept := features[:0]
	for _, f := range features {
		one := [1]uint32{f}
		if c.has(one[:]) {
			kept = append(kept, f)
		}
	}
	return kept
}

// absentCalls returns the system calls among features that the execution did not make.
func (c *agCoverage) absentCalls(features []uint32) []uint32 {
	var absent []uint32
	for _, f := range features {
		if int(f>>3) >= c.padded && !agContains(c.calls, f-uint32(c.padded)*8) {
			absent = append(absent, f)
		}
	}
	return absent
}

// learn makes features known.
func (c *agCoverage) learn(features []uint32) {
	for _, f := range features {
		if int(f>>3) < len(c.known) {
			c.known[f>>3] |= 1 << (f & 7)
		}
	}
}

// forget makes features unknown.
func (c *agCoverage) forget(features []uint32) {
	for _, f := range features {
		if int(f>>3) < len(c.known) {
			c.known[f>>3] &^= 1 << (f & 7)
		}
	}
}

func agContains(list []uint32, want uint32) bool {
	for _, v := range list {
		if v == want {
			return true
		}
	}
	return false
}
