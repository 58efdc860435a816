package fuzz

import "math"

// Operators for floats. Values pass through float64; where every bit counts, as in NaNs, the bits are
// written directly.

// agMutFloatOf reads a float of 4 or 8 bytes.
func agMutFloatOf(b []byte) float64 {
	if len(b) == 4 {
		return float64(math.Float32frombits(uint32(agMutLoad(b))))
	}
	return math.Float64frombits(agMutLoad(b))
}

// agMutPutFloat writes a float of 4 or 8 bytes and reports whether that changed it.
func agMutPutFloat(b []byte, v float64) bool {
	if len(b) == 4 {
		return agMutPut(b, uint64(math.Float32bits(float32(v))))
	}
	return agMutPut(b, math.Float64bits(v))
}

// agMutMantissa is how many bits of a float of this many bytes are its fraction.
func agMutMantissa(width int) uint {
	if width == 4 {
		return 23
	}
	return 52
}

// floatAdd adds or subtracts 1 to 35, or as many tenths.
func (m *agMutator) floatAdd(in *agInput, i int) bool {
	r := m.rand.half()
	by := float64(1 + r>>8%35)
	if r&3 == 0 {
		by /= 10
	}
	if r>>31 == 0 {
		by = -by
	}
	return agMutPutFloat(in.arg(i), agMutFloatOf(in.arg(i))+by)
}

// floatStep goes 1 to 4 representable values up or down.
func (m *agMutator) floatStep(in *agInput, i int) bool {
	b := in.arg(i)
	r := m.rand.half()
	by := 1 + uint64(r>>8&3)
	if r>>31 == 0 {
		by = -by
	}
	return agMutPut(b, agMutLoad(b)+by)
}

// agMutFloats are values at which conversions, formats and algorithms change their ways: limits of
// exactness, of integers, of the types, of decimal formats.
var agMutFloats = [...]float64{
	0, 1, 0.5, 0.1, 2, 10, 100, 1000, 1e15, 1e16, 1e17, 1e20, 1e21, 1e22, 1e23, 1e-4, 1e-5, 1e-6, 1e-7,
	127, 128, 255, 256, 32767, 32768, 65535, 65536, 16777216, 16777217, 1 << 31, 1<<31 - 1, 1 << 32,
	1 << 52, 1<<53 - 1, 1 << 53, 1<<53 + 2, 1 << 62, 1 << 63, 1 << 64, 4.5, 0.49999999999999994,
	3.141592653589793, 2.718281828459045, 90, 180, 360, 1e-45, 1.1754943508222875e-38,
	3.4028234663852886e38, 3.4028235677973366e38, 1e38, 1e39, 5e-324, 2.2250738585072011e-308,
	2.2250738585072014e-308, 1e308, math.MaxFloat64,
}

// floatInteresting sets one of agMutFloats or infinity, of either sign.
func (m *agMutator) floatInteresting(in *agInput, i int) bool {
	r := m.rand.half()
	k := int(r>>8) % (len(agMutFloats) + 4)
	v := math.Float64frombits(0x7ff << 52)
	if k < len(agMutFloats) {
		v = agMutFloats[k]
	}
	if r&3 == 0 {
		v = -v // also minus zero
	}
	return agMutPutFloat(in.arg(i), v)
}

// floatNaN sets a NaN, quiet or signalling, with any payload and sign.
func (m *agMutator) floatNaN(in *agInput, i int) bool {
	b := in.arg(i)
	width := uint(8 * len(b))
	fraction := agMutMantissa(len(b))
	r := m.rand.next()
	payload := r & (1<<fraction - 1)
	switch r >> 62 {
	case 0:
		payload = 1 << (fraction - 1) // the quiet one that arithmetic makes
	case 1:
		payload = 1
	}
	if payload == 0 {
		payload = 1
	}
	v := uint64(1)<<(width-1) - 1<<fraction | payload // the exponent's ones, then the payload
	return agMutPut(b, v|(r>>61&1)<<(width-1))
}

// floatSubnormal sets a number too small for a leading one.
func (m *agMutator) floatSubnormal(in *agInput, i int) bool {
	b := in.arg(i)
	r := m.rand.next()
	fraction := agMutMantissa(len(b))
	v := r & (1<<fraction - 1) >> (r >> 53 % uint64(fraction))
	return agMutPut(b, v|(r>>63)<<(8*uint(len(b))-1))
}

// floatScale multiplies by a factor, negates, inverts or squares.
func (m *agMutator) floatScale(in *agInput, i int) bool {
	v := agMutFloatOf(in.arg(i))
	r := m.rand.half()
	switch r & 7 {
	case 0, 1:
		v = -v
	case 2:
		v = 1 / v
	case 3:
		v *= v
	default:
		v *= [...]float64{2, 0.5, 10, 0.1, 1000, 0.001, 1e10, 1e-10}[r>>8&7]
	}
	return agMutPutFloat(in.arg(i), v)
}

// floatInteger sets a whole number: small, interesting as an integer, or random.
func (m *agMutator) floatInteger(in *agInput, i int) bool {
	r := m.rand.half()
	var v int64
	switch r & 3 {
	case 0, 1:
		v = int64(r>>8%272) - 16
	case 2:
		v = int64(m.interesting(8))
	default:
		v = int64(m.rand.next()) >> (r >> 8 % 64)
	}
	return agMutPutFloat(in.arg(i), float64(v))
}

// floatRound drops or sets decimal places.
func (m *agMutator) floatRound(in *agInput, i int) bool {
	v := agMutFloatOf(in.arg(i))
	r := m.rand.half()
	if !(v > -1e15 && v < 1e15) {
		v = 0
	}
	switch r & 3 {
	case 0:
		v = float64(int64(v))
	case 1:
		v = float64(int64(v*100)) / 100
	case 2:
		v = float64(int64(v)) + 0.5
	default:
		v = float64(int64(r>>8%200000)-100000) / 100
	}
	return agMutPutFloat(in.arg(i), v)
}

// agMutTokenFloat reads a token as the bits of a float, or as decimal text; width is for the choice
// between the two when both fit.
func agMutTokenFloat(token []byte, width int) (v float64, ok bool) {
	if number, ok := agMutTokenNumber(token); ok && len(token) != width {
		return float64(int64(number)), true
	}
	if len(token) == 4 || len(token) == 8 {
		return agMutFloatOf(token), true
	}
	return 0, false
}
