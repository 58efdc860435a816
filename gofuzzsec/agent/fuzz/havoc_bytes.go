package fuzz

import "math/bits"

// Operators that change bytes in place. Their cost does not depend on the argument's length.

// flipBit flips one bit.
func (m *agMutator) flipBit(in *agInput, i int) bool {
	b := in.arg(i)
	if len(b) == 0 {
		return false
	}
	at := m.rand.below(8 * len(b))
	b[at/8] ^= 1 << (at % 8)
	return true
}

// randomByte gives one byte another value.
func (m *agMutator) randomByte(in *agInput, i int) bool {
	b := in.arg(i)
	if len(b) == 0 {
		return false
	}
	b[m.rand.below(len(b))] ^= byte(1 + m.rand.below(255))
	return true
}

// addByte adds or subtracts a little.
func (m *agMutator) addByte(in *agInput, i int) bool { return m.addWord(in.arg(i), 1) }

func (m *agMutator) addWord16(in *agInput, i int) bool { return m.addWord(in.arg(i), 2) }
func (m *agMutator) addWord32(in *agInput, i int) bool { return m.addWord(in.arg(i), 4) }
func (m *agMutator) addWord64(in *agInput, i int) bool { return m.addWord(in.arg(i), 8) }

// addWord adds or subtracts 1 to 35 to a number of the given width, in either byte order.
func (m *agMutator) addWord(b []byte, width int) bool {
	word := m.word(b, width)
	if word == nil {
		return false
	}
	// Without branches on random bits: half of them would be mispredicted.
	r := m.rand.half()
	negative, big := -uint64(r>>30&1), -uint64(r>>31)
	by := (1 + uint64(r&0xffff)%35) ^ negative - negative
	v := agMutLoad(word)
	little := v + by
	reversed := agMutFlip(agMutFlip(v, width)+by, width)
	agMutStore(word, little&^big|reversed&big)
	return true
}

// word picks a place of width bytes in b, nil when b is too short.
func (m *agMutator) word(b []byte, width int) []byte {
	if len(b) < width {
		return nil
	}
	at := m.rand.below(len(b) - width + 1)
	return b[at : at+width]
}

// agMutFlip reverses the order of the low width bytes of v.
func agMutFlip(v uint64, width int) uint64 {
	return bits.ReverseBytes64(v) >> (64 - 8*width)
}

func (m *agMutator) interestingByte(in *agInput, i int) bool {
	return m.interestingWord(in.arg(i), 1)
}

func (m *agMutator) interestingWord16(in *agInput, i int) bool {
	return m.interestingWord(in.arg(i), 2)
}

func (m *agMutator) interestingWord32(in *agInput, i int) bool {
	return m.interestingWord(in.arg(i), 4)
}

func (m *agMutator) interestingWord64(in *agInput, i int) bool {
	return m.interestingWord(in.arg(i), 8)
}

// interestingWord overwrites a place of the given width with an interesting number in either byte
// order.
func (m *agMutator) interestingWord(b []byte, width int) bool {
	word := m.word(b, width)
	if word == nil {
		return false
	}
	v := m.interesting(width)
	big := -uint64(m.rand.half() >> 31)
	v = v&^big | agMutFlip(v, width)&big
	old := agMutLoad(word)
	agMutStore(word, v)
	return agMutLoad(word) != old
}

// agMutRound are numbers people choose that are not next to a power of two.
var agMutRound = [...]uint64{
	10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 3600, 86400, 100663045,
}

// interesting draws a number of width bytes where programs tend to change their behaviour: next to
// a power of two, of either sign, or round in decimal. The bytes above the width are undefined.
func (m *agMutator) interesting(width int) uint64 {
	r := m.rand.half()
	v := 1<<(r>>8&0xff*uint32(8*width)>>8&63) + uint64(r>>16&0xff)%3 - 1
	if r&7 == 0 {
		v = agMutRound[int(r>>16&0xff)*len(agMutRound)>>8]
	}
	sign := -uint64(r >> 3 & (r >> 4) & 1)
	return v ^ sign - sign
}

// swapBytes exchanges two bytes.
func (m *agMutator) swapBytes(in *agInput, i int) bool {
	b := in.arg(i)
	if len(b) < 2 {
		return false
	}
	p, q := m.rand.below(len(b)), m.rand.below(len(b))
	b[p], b[q] = b[q], b[p]
	return b[p] != b[q]
}

// swapRanges exchanges two ranges of the same length, up to 64 bytes each.
func (m *agMutator) swapRanges(in *agInput, i int) bool {
	b := in.arg(i)
	if len(b) < 2 {
		return false
	}
	most := len(b) / 2
	if most > 64 {
		most = 64
	}
	n := m.span(most)
	p := m.rand.below(len(b) - 2*n + 1)
	q := p + n + m.rand.below(len(b)-2*n-p+1)
	if agMutSame(b[p:p+n], b[q:q+n]) {
		return false
	}
	for k := 0; k < n; k++ {
		b[p+k], b[q+k] = b[q+k], b[p+k]
	}
	return true
}

// overwriteConstant fills a range with one byte.
func (m *agMutator) overwriteConstant(in *agInput, i int) bool {
	b := in.arg(i)
	if len(b) == 0 {
		return false
	}
	from, to := m.block(len(b))
	old, v := b[from], m.constant(b)
	if v == old {
		v ^= byte(1 + m.rand.below(255))
	}
	b[from] = v
	agMutRepeat(b[from:to], 1)
	return true
}

// overwriteRandom fills a range of up to 32 bytes with random ones.
func (m *agMutator) overwriteRandom(in *agInput, i int) bool {
	b := in.arg(i)
	if len(b) == 0 {
		return false
	}
	from := m.rand.below(len(b))
	b = b[from:]
	if len(b) > 32 {
		b = b[:32]
	}
	old := b[0]
	m.fill(b[:m.span(len(b))])
	return b[0] != old
}

// constant draws a byte to make runs of: an extreme, a letter, one that occurs in b, or any.
func (m *agMutator) constant(b []byte) byte {
	r := m.rand.half()
	switch r >> 29 {
	case 0:
		return 0
	case 1:
		return 0xff
	case 2:
		return ' '
	case 3:
		return "A0a(/\n\x7f\x80"[r&7]
	case 4, 5:
		if len(b) > 0 {
			return b[m.rand.below(len(b))]
		}
	}
	return byte(r)
}

// copyWithin copies a range over another place of the same argument.
func (m *agMutator) copyWithin(in *agInput, i int) bool {
	b := in.arg(i)
	if len(b) < 2 {
		return false
	}
	from, to := m.block(len(b))
	at := m.rand.below(len(b) - (to - from) + 1)
	if agMutSame(b[at:at+to-from], b[from:to]) {
		return false
	}
	copy(b[at:], b[from:to])
	return true
}
