package fuzz

// Operators for text: decimal numbers, UTF-8, upper and lower case.

const (
	agMutTextReach = 64 // how far from a random place text is looked for
	agMutDigitsMax = 20 // on either side of the digit found
)

// number finds a run of decimal digits in b near a random place; ok is false when there is none.
func (m *agMutator) number(b []byte) (from, to int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	from = m.rand.below(len(b))
	last := from + agMutTextReach
	if last > len(b) {
		last = len(b)
	}
	for from < last && !agMutDigit(b[from]) {
		from++
	}
	if from == last {
		return 0, 0, false
	}
	to = from + 1
	for to < len(b) && to-from < agMutDigitsMax && agMutDigit(b[to]) {
		to++
	}
	for k := 0; k < agMutDigitsMax && from > 0 && agMutDigit(b[from-1]); k++ {
		from--
	}
	return from, to, true
}

// agMutNumberEnds are what can go before or behind digits and still be a number somewhere.
var agMutNumberEnds = [...]string{
	"-", "+", "0", "0x", "0b", "0o", "00000000", ".", ".5", "e9", "e-9", "E308", "1e-999", "_", "i", "%",
}

// changeNumber changes a decimal number: a little, by a factor, to an interesting one, in its count
// of digits, in one digit, or by what stands around it.
func (m *agMutator) changeNumber(in *agInput, i int) bool {
	b := in.arg(i)
	from, to, ok := m.number(b)
	if !ok {
		return false
	}
	r := m.rand.half()
	kind, fine := r&15, uint64(r>>8)
	value := uint64(0)
	for _, c := range b[from:to] {
		value = value*10 + uint64(c-'0')
	}
	switch {
	case kind < 3:
		value += 1 + fine%3/2*(fine>>8%16)
	case kind < 6:
		value -= 1 + fine%3/2*(fine>>8%16)
	case kind == 6:
		value *= 2 + fine%9
	case kind == 7:
		value /= 2 + fine%9
	case kind < 11:
		value = m.interesting(1 << (fine % 4))
	case kind == 11:
		value = fine % 10
	case kind == 12:
		at := from + int(fine)%(to-from)
		old := b[at]
		b[at] = '0' + byte((fine>>16)%10)
		return b[at] != old
	case kind == 13:
		n := 1 + int(fine)%24
		return m.putText(in, i, from, to, m.digits(n))
	default:
		end := agMutNumberEnds[fine%uint64(len(agMutNumberEnds))]
		if kind == 14 {
			to = from
		} else {
			from = to
		}
		return m.putText(in, i, from, to, m.text[:copy(m.text[:], end)])
	}
	return m.putText(in, i, from, to, m.decimal(value, to-from, fine>>20&1 == 0))
}

// insertNumber inserts a decimal number.
func (m *agMutator) insertNumber(in *agInput, i int) bool {
	at := m.place(in, i) - in.begin(i)
	if r := m.rand.half(); r&3 == 0 {
		return m.putText(in, i, at, at, m.digits(1+int(r>>8)%24))
	}
	return m.putText(in, i, at, at, m.decimal(m.interesting(1<<m.rand.below(4)), 0, false))
}

// putText replaces [from, to) of argument i with text, if it differs and there is room.
func (m *agMutator) putText(in *agInput, i, from, to int, text []byte) bool {
	if len(text)-(to-from) > m.room(in) || agMutSame(in.arg(i)[from:to], text) {
		return false
	}
	begin := in.begin(i)
	in.splice(i, begin+from, begin+to, text)
	return true
}

// digits returns n random digits, at most agMutTextMax; valid until the next text is made.
func (m *agMutator) digits(n int) []byte {
	r := m.rand.next()
	for k := 0; k < n; k++ {
		m.text[k] = '0' + byte(r%10)
		if r /= 10; r == 0 {
			r = m.rand.next()
		}
	}
	return m.text[:n]
}

// decimal returns the digits of v, "-" before them when that is shorter; with fixed set exactly
// width of them, as numbers in columns have. Valid until the next text is made.
func (m *agMutator) decimal(v uint64, width int, fixed bool) []byte {
	negative := !fixed && int64(v) < 0 && int64(v) > -1<<40
	if negative {
		v = -v
	}
	at := len(m.text)
	for {
		at--
		m.text[at] = '0' + byte(v%10)
		if v /= 10; v == 0 {
			break
		}
	}
	if negative {
		at--
		m.text[at] = '-'
	}
	if fixed && width < len(m.text) {
		for at > len(m.text)-width {
			at--
			m.text[at] = '0'
		}
		at = len(m.text) - width
	}
	return m.text[at:]
}

// agMutRunes are code points that text code treats specially: limits of the encoding, marks, joiners,
// directions, letters whose case is odd, spaces that are none, the replacement.
var agMutRunes = [...]uint32{
	0, 0x7f, 0x80, 0x85, 0xa0, 0xad, 0xdf, 0x130, 0x131, 0x149, 0x17f, 0x1c5, 0x300, 0x301, 0x3c2,
	0x660, 0x7ff, 0x800, 0x1e9e, 0x200b, 0x200d, 0x200e, 0x2028, 0x202e, 0x2066, 0x212a, 0x3000,
	0xd7ff, 0xe000, 0xfb01, 0xfdd0, 0xfe0f, 0xfeff, 0xff10, 0xff21, 0xfffd, 0xfffe, 0xffff, 0x10000,
	0x1d7ce, 0x1f468, 0x1f1e6, 0xe0001, 0x10fffe, 0x10ffff,
}

// validRune inserts a code point in UTF-8, or puts it in place of as many bytes.
func (m *agMutator) validRune(in *agInput, i int) bool {
	r := m.rand.half()
	var c uint32
	switch r & 3 {
	case 0, 1:
		c = agMutRunes[int(r>>8)%len(agMutRunes)]
	case 2:
		c = r >> 8 % 0x800
	default:
		c = r >> 8 % 0x110000
	}
	if c&^0x7ff == 0xd800 {
		c -= 0x800
	}
	return m.putRune(in, i, agMutEncode(m.text[:0], c, agMutRuneLen(c)))
}

// malformedRune does the same with bytes that are not UTF-8: half a surrogate pair or both, a code
// point too large or in too many bytes, a sequence cut short, or bytes that never occur.
func (m *agMutator) malformedRune(in *agInput, i int) bool {
	r := m.rand.half()
	fine := r >> 8
	text := m.text[:0]
	switch r & 7 {
	case 0, 1:
		text = agMutEncode(text, 0xd800+fine%0x800, 3)
	case 2:
		text = agMutEncode(text, 0xd800+fine%0x400, 3)
		text = agMutEncode(text, 0xdc00+(fine>>8)%0x400, 3)
	case 3:
		text = agMutEncode(text, 0x110000+fine%0xf0000, 4)
	case 4:
		c := fine % 0x80
		text = agMutEncode(text, c, 2+int(fine>>8)%3)
	case 5:
		text = agMutEncode(text, 0x800+fine%0xd000, 3)
		text = text[:1+int(fine>>20)%2]
	case 6:
		text = append(text, 0x80|byte(fine&0x3f))
	default:
		text = append(text, [...]byte{0xc0, 0xc1, 0xf5, 0xf8, 0xfc, 0xfe, 0xff, 0xff}[fine&7])
	}
	return m.putRune(in, i, text)
}

// putRune inserts text at a random place or puts it in place of as many bytes.
func (m *agMutator) putRune(in *agInput, i int, text []byte) bool {
	n := in.ends[i] - in.begin(i)
	at := m.rand.below(n + 1)
	to := at
	if m.rand.half()>>31 == 0 {
		if to = at + len(text); to > n {
			to = n
		}
	}
	return m.putText(in, i, at, to, text)
}

// agMutRuneLen is how many bytes UTF-8 needs for c.
func agMutRuneLen(c uint32) int {
	switch {
	case c < 0x80:
		return 1
	case c < 0x800:
		return 2
	case c < 0x10000:
		return 3
	}
	return 4
}

// agMutEncode appends c to b as UTF-8 would in n bytes, n from 1 to 4, valid or not.
func agMutEncode(b []byte, c uint32, n int) []byte {
	if n == 1 {
		return append(b, byte(c&0x7f))
	}
	lead := byte(0xff) << (8 - n) // as many ones on top as there are bytes
	b = append(b, lead|byte(c>>(6*(n-1)))&(0x7f>>n))
	for k := n - 2; k >= 0; k-- {
		b = append(b, 0x80|byte(c>>(6*k))&0x3f)
	}
	return b
}

// changeCase changes the case of one letter, or of a word, to the other or to one for all.
func (m *agMutator) changeCase(in *agInput, i int) bool {
	b := in.arg(i)
	if len(b) == 0 {
		return false
	}
	at := m.rand.below(len(b))
	last := at + agMutTextReach
	for at < len(b) && at < last && !agMutLetter(b[at]) {
		at++
	}
	if at == len(b) || at == last {
		return false
	}
	b[at] ^= 0x20
	r := m.rand.half()
	if r&1 == 0 {
		return true
	}
	from, to := agMutWord(b, at)
	for k := from; k < to; k++ {
		switch {
		case k == at || !agMutLetter(b[k]):
		case r&2 == 0:
			b[k] ^= 0x20
		default:
			b[k] = b[k]&^0x20 | b[at]&0x20
		}
	}
	return true
}
