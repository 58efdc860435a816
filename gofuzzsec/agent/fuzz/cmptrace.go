package fuzz

import (
	"math/bits"
	"sync/atomic"
)

// agRef names one comparison of an execution: the nth time a site was reached.
type agRef struct {
	site uint64
	nth  uint32
}

// agTrace is a copy of the comparisons of one execution that outlives the next one.
type agTrace struct {
	recs  []agCmp
	pool  []byte
	index []int32 // open addressing by agRef; 0 is free, i+1 stands for recs[i]
}

// take copies the log.
func (t *agTrace) take() {
	t.recs = append(t.recs[:0], agCmpRecords()...)
	filled := int(atomic.LoadUint32(&agCmpFilled))
	if filled > agCmpPoolMax {
		filled = agCmpPoolMax
	}
	t.pool = append(t.pool[:0], agCmpPool[:filled]...)
	size := 64
	for size < 2*len(t.recs) {
		size *= 2
	}
	if cap(t.index) < size {
		t.index = make([]int32, size)
	}
	t.index = t.index[:size]
	for i := range t.index {
		t.index[i] = 0
	}
	for i := range t.recs {
		at := t.slot(t.recs[i].site, t.recs[i].nth)
		if t.index[at] == 0 {
			t.index[at] = int32(i + 1)
		}
	}
}

// slot returns where in index the record is or would be.
func (t *agTrace) slot(site uint64, nth uint32) int {
	mask := len(t.index) - 1
	at := int(agCmpHash(site+uint64(nth)*0x5851F42D4C957F2D)) & mask
	for t.index[at] != 0 {
		r := &t.recs[t.index[at]-1]
		if r.site == site && r.nth == nth {
			break
		}
		at = (at + 1) & mask
	}
	return at
}

// find returns the number of the record, -1 when there is none.
func (t *agTrace) find(site uint64, nth uint32) int {
	if len(t.index) == 0 {
		return -1
	}
	return int(t.index[t.slot(site, nth)]) - 1
}

// text returns the bytes kept of one operand of a string comparison.
func (t *agTrace) text(r *agCmp, side int) []byte { return agKeptText(t.pool, r, side) }

// agLiveText is text for a record that is still in the log.
func agLiveText(r *agCmp, side int) []byte { return agKeptText(agCmpPool[:], r, side) }

func agKeptText(pool []byte, r *agCmp, side int) []byte {
	at, kept := r.aAt, r.aKept
	if side == 1 {
		at, kept = r.bAt, r.bKept
	}
	if int(at)+int(kept) > len(pool) {
		return nil
	}
	return pool[at : int(at)+int(kept)]
}

// agLive finds a record in the log, nil when it is not there.
func agLive(ref agRef) *agCmp {
	recs := agCmpRecords()
	for i := range recs {
		if recs[i].nth == ref.nth && recs[i].site == ref.site {
			return &recs[i]
		}
	}
	return nil
}

func (r *agCmp) ref() agRef { return agRef{r.site, r.nth} }

// value returns one operand, of a string its length.
func (r *agCmp) value(side int) uint64 {
	if side == 0 {
		return r.a
	}
	return r.b
}

// equal reports whether the operands a and b of r, given as text for strings, agree.
func (r *agCmp) equal(a, b []byte) bool {
	if r.a != r.b {
		return false
	}
	if r.width != 0 {
		return true
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && (r.flags&agCmpFold == 0 || agCmpLower(a[i]) != agCmpLower(b[i])) {
			return false
		}
	}
	return true
}

func agLiveEqual(r *agCmp) bool { return r.equal(agLiveText(r, 0), agLiveText(r, 1)) }

func (t *agTrace) equal(i int) bool {
	r := &t.recs[i]
	return r.equal(t.text(r, 0), t.text(r, 1))
}

// agDistance tells how far a live comparison is from equality: for integers the difference, or the
// number of different bits when byBits is set; for strings different bits, a missing byte being 8.
func agDistance(r *agCmp, byBits bool) uint64 {
	return agTextDistance(r, agLiveText(r, 0), agLiveText(r, 1), byBits)
}

func agTextDistance(r *agCmp, a, b []byte, byBits bool) uint64 {
	if r.width == 0 {
		n := 0
		for i := 0; i < len(a) && i < len(b); i++ {
			n += bits.OnesCount8(a[i] ^ b[i])
		}
		return uint64(n) + 8*agCmpGap(r.a, r.b)
	}
	if byBits {
		return uint64(bits.OnesCount64(r.a ^ r.b))
	}
	d := (r.a - r.b) & agCmpMask(r.width)
	if neg := -d & agCmpMask(r.width); neg < d {
		return neg
	}
	return d
}

func agCmpGap(a, b uint64) uint64 {
	if a < b {
		return b - a
	}
	return a - b
}

// agCmpMask has the bits of an integer of width bytes.
func agCmpMask(width uint8) uint64 { return ^uint64(0) >> (64 - 8*uint(width)) }

// agCmpExtend is the signed value of the low width bytes of v.
func agCmpExtend(v uint64, width uint8) int64 {
	shift := 64 - 8*uint(width)
	return int64(v<<shift) >> shift
}

func agCmpLower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
