package fuzz

// How an operand may be written in an input.
const (
	agCodeRaw    = iota // integers: size bytes, big or little endian; strings: as they are
	agCodeFold          // strings: in any case
	agCodeDigits        // integers: digits of a base
	agCodeHex           // strings: two hexadecimal digits a byte
	agCodeBase64        // strings: base64, standard alphabet, no padding
)

// agCode is one way to write an operand.
type agCode struct {
	kind  uint8
	size  uint8 // of a raw integer, 1 to 8
	big   bool  // big endian
	base  uint8 // of digits
	upper bool  // hexadecimal digits in upper case
	fixed bool  // digits: keep the number of digits
}

// agSpan is a part of an input.
type agSpan struct{ from, to int }

func (s agSpan) meets(o agSpan) bool { return s.from < o.to && o.from < s.to }

// fits reports whether v, an operand of width bytes, can be written in size bytes such that reading
// it, with or without sign, gives v again.
func (c agCode) fits(v uint64, width uint8) bool {
	if c.size >= width {
		return true
	}
	mask := agCmpMask(c.size)
	return v&agCmpMask(width) == v&mask || uint64(agCmpExtend(v, c.size))&agCmpMask(width) == v&agCmpMask(width)
}

// raw appends v as a raw integer.
func (c agCode) raw(to []byte, v uint64, width uint8) []byte {
	if c.size > width {
		v &= agCmpMask(width)
	}
	n := int(c.size)
	for i := 0; i < n; i++ {
		shift := uint(8 * i)
		if c.big {
			shift = uint(8 * (n - 1 - i))
		}
		to = append(to, byte(v>>shift))
	}
	return to
}

// digits appends v, an operand of width bytes, as digits: at least least of them, with a sign when
// signed is set and v is negative.
func (c agCode) digits(to []byte, v uint64, width uint8, least int, signed bool) []byte {
	v &= agCmpMask(width)
	if signed && agCmpExtend(v, width) < 0 {
		to = append(to, '-')
		v = -v & agCmpMask(width)
	}
	var buf [64]byte
	at := len(buf)
	for v != 0 || at == len(buf) || (len(buf)-at < least && at > 0) {
		at--
		buf[at] = agCmpDigit(byte(v%uint64(c.base)), c.upper)
		v /= uint64(c.base)
	}
	return append(to, buf[at:]...)
}

// textOf appends a string operand.
func (c agCode) textOf(to, text []byte) []byte {
	switch c.kind {
	case agCodeHex:
		for _, b := range text {
			to = append(to, agCmpDigit(b>>4, c.upper), agCmpDigit(b&15, c.upper))
		}
		return to
	case agCodeBase64:
		return agBase64(to, text)
	}
	return append(to, text...)
}

const agDigitsLower = "0123456789abcdefghijklmnopqrstuvwxyz"
const agBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func agCmpDigit(d byte, upper bool) byte {
	c := agDigitsLower[d]
	if upper && c >= 'a' {
		c -= 'a' - 'A'
	}
	return c
}

func agBase64(to, text []byte) []byte {
	acc, have := uint(0), uint(0)
	for _, b := range text {
		acc, have = acc<<8|uint(b), have+8
		for have >= 6 {
			have -= 6
			to = append(to, agBase64Digits[acc>>have&63])
		}
	}
	if have > 0 {
		to = append(to, agBase64Digits[acc<<(6-have)&63])
	}
	return to
}

// agDigitValue returns the value of a digit, 255 for anything else.
func agDigitValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// agNumber is a run of digits in an input, as long as it can be.
type agNumber struct {
	span     agSpan // without the sign
	value    uint64
	negative bool // a minus stands before it
}

// agNextNumber finds the next run of digits of a base in data[from:end] that 64 bits can hold.
func agNextNumber(data []byte, from, end int, base byte) (agNumber, bool) {
	for i := from; i < end; {
		if agDigitValue(data[i]) >= base {
			i++
			continue
		}
		j, value, whole := i, uint64(0), true
		for ; j < end && agDigitValue(data[j]) < base; j++ {
			if value > (^uint64(0)-15)/uint64(base) {
				whole = false
			}
			value = value*uint64(base) + uint64(agDigitValue(data[j]))
		}
		if whole {
			return agNumber{agSpan{i, j}, value, i > from && data[i-1] == '-'}, true
		}
		i = j
	}
	return agNumber{}, false
}

// agFind returns the first place at or after from where part occurs in data, -1 for none.
func agFindBytes(data, part []byte, from int, fold bool) int {
	if len(part) == 0 {
		return -1
	}
	first := part[0]
	if fold {
		first = agCmpLower(first)
	}
	for i := from; i+len(part) <= len(data); i++ {
		if data[i] != first && (!fold || agCmpLower(data[i]) != first) {
			continue
		}
		j := 1
		for j < len(part) && (data[i+j] == part[j] || fold && agCmpLower(data[i+j]) == agCmpLower(part[j])) {
			j++
		}
		if j == len(part) {
			return i
		}
	}
	return -1
}

func agCmpSame(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
