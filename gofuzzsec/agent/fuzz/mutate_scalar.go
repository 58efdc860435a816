package fuzz

import "math/bits"

// Operators for integers and bools, and those that integers and floats share.

// agMutPut writes v to a scalar and reports whether that changed it.
func agMutPut(b []byte, v uint64) bool {
	old := agMutLoad(b)
	agMutStore(b, v)
	return agMutLoad(b) != old
}

// agMutExtended is a scalar as a 64-bit number, with its sign when its type has one.
func agMutExtended(b []byte, kind agKind) uint64 {
	v := agMutLoad(b)
	if kind.class == agSigned {
		shift := 64 - 8*uint(len(b))
		v = uint64(int64(v<<shift) >> shift)
	}
	return v
}

// boolFlip turns a bool around, sometimes another one with it.
func (m *agMutator) boolFlip(in *agInput, i int) bool {
	b := in.arg(i)
	b[0] = ^b[0] & 1
	if m.rand.half()>>30 == 0 {
		other := m.rand.below(len(in.kinds))
		if other != i && in.kinds[other].class == agBool {
			b = in.arg(other)
			b[0] = ^b[0] & 1
		}
	}
	return true
}

// integerAdd adds or subtracts: half the time 1, else up to 35, now and then a power of two.
func (m *agMutator) integerAdd(in *agInput, i int) bool {
	b := in.arg(i)
	r := m.rand.half()
	by := uint64(1)
	switch r & 7 {
	case 0, 1, 2:
		by = 1 + uint64(r>>8)%35
	case 3:
		by = 1 << (uint(r>>8) % uint(8*len(b)))
	}
	if r>>31 == 0 {
		by = -by
	}
	return agMutPut(b, agMutLoad(b)+by)
}

// integerFlip flips one bit, sometimes more.
func (m *agMutator) integerFlip(in *agInput, i int) bool {
	b := in.arg(i)
	r := m.rand.half()
	at := r >> 8 % uint32(8*len(b))
	b[at/8] ^= 1 << (at % 8)
	for ; r&3 == 0 && r != 0; r >>= 2 {
		next := m.rand.below(8 * len(b))
		if uint32(next) != at {
			b[next/8] ^= 1 << (next % 8)
		}
	}
	return true
}

// integerInteresting sets an interesting number of the integer's width or a smaller one.
func (m *agMutator) integerInteresting(in *agInput, i int) bool {
	b := in.arg(i)
	width := len(b)
	if r := m.rand.half(); r&3 == 0 {
		width = 1 << (r >> 8 % 4)
	}
	v := m.interesting(width)
	if width < len(b) && m.rand.half()>>31 == 0 {
		v &= 1<<(8*width) - 1
	}
	return agMutPut(b, v)
}

// integerNegate negates or complements.
func (m *agMutator) integerNegate(in *agInput, i int) bool {
	b := in.arg(i)
	v := ^agMutLoad(b)
	if m.rand.half()>>30 != 0 {
		v++
	}
	return agMutPut(b, v)
}

// integerScale multiplies, divides, or reverses the byte order.
func (m *agMutator) integerScale(in *agInput, i int) bool {
	b := in.arg(i)
	v := agMutExtended(b, in.kinds[i])
	r := m.rand.half()
	by := [...]uint64{2, 10, 3, 8, 16, 60, 256, 1000}[r>>8&7]
	switch r & 3 {
	case 0:
		v *= by
	case 1:
		if in.kinds[i].class == agSigned {
			v = uint64(int64(v) / int64(by))
		} else {
			v /= by
		}
	case 2:
		v *= v
	default:
		v = bits.ReverseBytes64(v) >> (64 - 8*uint(len(b)))
	}
	return agMutPut(b, v)
}

// integerSmall sets a number from -16 to 255, or next to the length of an argument.
func (m *agMutator) integerSmall(in *agInput, i int) bool {
	r := m.rand.half()
	v := uint64(r>>8)%272 - 16
	if r&3 == 0 {
		other := m.rand.below(len(in.ends))
		v = uint64(in.ends[other]-in.begin(other)) + uint64(r>>8)%3 - 1
	}
	return agMutPut(in.arg(i), v)
}

// integerRandom sets a random number of a random count of bits.
func (m *agMutator) integerRandom(in *agInput, i int) bool {
	b := in.arg(i)
	v := m.rand.next() >> (64 - 8*uint(len(b)))
	r := m.rand.half()
	v >>= r >> 8 % uint32(8*len(b))
	if r&3 == 0 {
		v = -v
	}
	return agMutPut(b, v)
}

// scalarBorrow takes the value another input has there, or that of another argument of this one.
func (m *agMutator) scalarBorrow(in *agInput, i int) bool {
	b := in.arg(i)
	if m.rand.half()>>31 == 0 {
		if theirs := m.partner(in, i); len(theirs) == len(b) {
			return agMutPut(b, agMutLoad(theirs))
		}
	}
	other := m.rand.below(len(in.kinds))
	if other == i || in.kinds[other].width != in.kinds[i].width {
		return false
	}
	return agMutPut(b, agMutLoad(in.arg(other)))
}

// scalarToken sets a number from the dictionaries: its bytes, or its decimal text.
func (m *agMutator) scalarToken(in *agInput, i int) bool {
	b, kind := in.arg(i), in.kinds[i]
	for tries := 0; tries < 4; tries++ {
		token := m.tokens.pick(&m.rand)
		if kind.class == agFloat {
			if v, ok := agMutTokenFloat(token, len(b)); ok {
				return agMutPutFloat(b, v)
			}
			continue
		}
		v, ok := agMutTokenNumber(token)
		if !ok && 0 < len(token) && len(token) <= len(b) {
			v, ok = agMutLoad(token), true
			if top := uint(8 * len(token)); kind.class == agSigned && v>>(top-1) == 1 && top < 64 {
				v |= -uint64(m.rand.half()>>31) << top // its sign, perhaps
			}
		}
		if ok {
			return agMutPut(b, v)
		}
	}
	return false
}

// agMutTokenNumber reads decimal text, at most 20 bytes, perhaps after a sign.
func agMutTokenNumber(token []byte) (v uint64, ok bool) {
	negative := len(token) > 1 && token[0] == '-'
	if negative {
		token = token[1:]
	}
	if len(token) == 0 || len(token) > 20 {
		return 0, false
	}
	for _, c := range token {
		if !agMutDigit(c) {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	if negative {
		v = -v
	}
	return v, true
}
