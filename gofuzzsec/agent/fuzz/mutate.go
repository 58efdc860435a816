package fuzz

// agMutator changes inputs at random: every call of mutate applies a stack of operators, drawn from
// tables that lean towards what has found something (mutate_adapt.go). It belongs to one goroutine
// and allocates only when an input outgrows its memory or a token is new.
type agMutator struct {
	rand     agRand
	maxLen   int        // of all arguments together, in the current call of mutate
	used     uint64     // operators of the last mutate, one bit each, its stack's size included
	deep     bool       // the last stack was too deep to tell which of its operators mattered
	partners []*agInput // others to take parts of; not ours, only read
	tokens   agMutTokens
	odds     agOdds
	kinds    []agKind // what slots was made for
	slots    []uint8  // argument numbers, each as often as its share of the mutations
	most     int      // operators to stack on inputs of these kinds
	text     [agMutTextMax]byte
	before   [agMutTextMax]byte // the beginning of the input before the current mutation
}

// agMutTextMax bounds the text of one number or rune.
const agMutTextMax = 32

// newAgMutator returns a mutator that has learnt nothing yet and knows no tokens.
func newAgMutator(seed uint64) *agMutator {
	m := &agMutator{}
	m.odds.forget()
	m.reseed(seed)
	return m
}

// reseed restarts the random numbers. What rewards have taught stays (forget drops it), so two
// mutators agree from here on if they also agree in partners, tokens and rewards.
func (m *agMutator) reseed(seed uint64) {
	m.rand = newAgRand(seed)
	m.used, m.deep = 0, false
}

// forget drops what rewards have taught and the tokens learnt while running.
func (m *agMutator) forget() {
	m.odds.forget()
	m.tokens.learnt.clear()
	m.used, m.deep = 0, false
}

// setPartners names the inputs to splice from. They have the kinds of the inputs to mutate; the
// mutator only reads them, and they must not change during mutate.
func (m *agMutator) setPartners(p []*agInput) { m.partners = p }

// setTokens sets the user's dictionary and the automatic one; both are kept as they are.
func (m *agMutator) setTokens(user, auto [][]byte) { m.tokens.user, m.tokens.auto = user, auto }

// addToken remembers a copy of a token met while running. Tokens that are empty, known or longer
// than agTokenMax are ignored; new ones push out old ones.
func (m *agMutator) addToken(t []byte) { m.tokens.learnt.add(t) }

// mutate changes in, in place: one stack of operators. The result differs from what was there but
// for rare coincidences, and in.data is at most maxLen long unless the scalars alone exceed that.
// An input without arguments, or with nothing but empty ones and no room, stays as it is.
func (m *agMutator) mutate(in *agInput, maxLen int) {
	m.used, m.deep, m.maxLen = 0, false, maxLen
	if len(in.kinds) == 0 {
		return
	}
	m.aim(in.kinds)
	if len(in.data) > maxLen {
		agMutShrink(in, maxLen)
	}
	depth := m.depth()
	if depth > m.most {
		depth = m.most
	}
	m.deep = depth > agCreditMax
	short := len(in.data) <= len(m.before)
	n := copy(m.before[:], in.data)
	m.stack(in, depth)
	if short && agMutSame(in.data, m.before[:n]) {
		m.stack(in, 1) // in so few bytes, operators undo each other now and then
	}
}

// stack applies depth operators, fewer when hardly any can do something with in.
func (m *agMutator) stack(in *agInput, depth int) {
	for changed, tries := 0, 0; changed < depth && tries < 2*depth+agMutTries; tries++ {
		i := 0
		if len(m.slots) > 1 {
			i = int(m.slots[m.rand.below(len(m.slots))])
		}
		op := m.draw(agGroupOf[in.kinds[i].class])
		if agOps[op].apply(m, in, i) {
			m.used |= 1 << (op & 63)
			changed++
		}
	}
}

// agMutTries is how many operators that cannot do anything one stack accepts at least.
const agMutTries = 24

// agMutShares are the relative frequencies with which arguments of each class are mutated.
var agMutShares = [...]int{agBytes: 4, agString: 4, agBool: 1, agSigned: 2, agUnsigned: 2, agFloat: 2}

// aim prepares slots for inputs of these kinds.
func (m *agMutator) aim(kinds []agKind) {
	if len(m.kinds) == len(kinds) && &m.kinds[0] == &kinds[0] {
		return
	}
	m.kinds = kinds
	m.slots = m.slots[:0]
	m.most = 0
	for i := 0; i < len(kinds) && i < 256; i++ {
		for n := agMutShares[kinds[i].class]; n > 0; n-- {
			m.slots = append(m.slots, uint8(i))
		}
		switch {
		case kinds[i].variable():
			m.most = agDepthMax
		case kinds[i].class != agBool && m.most < agDepthMax:
			m.most += 2 // more would only make the scalar random
		}
	}
	if m.most == 0 {
		m.most = 1 // flipping a bool twice is no change
	}
}

// agDepthMax is how many operators are stacked at most.
const agDepthMax = 64

// agMutDepths are the sizes of stacks that each arm of agGroupDepth stands for.
var agMutDepths = [8]struct{ least, choices uint32 }{{1, 1}, {2, 1}, {3, 2}, {5, 4}, {9, 8}, {17, 48}}

// depth draws how many operators to stack: mostly up to 4, at most agDepthMax.
func (m *agMutator) depth() int {
	arm := m.draw(agGroupDepth)
	m.used |= 1 << (arm & 63)
	d := agMutDepths[(arm-agDepthArm)&7]
	return int(d.least + uint32(uint64(m.rand.half())*uint64(d.choices)>>32))
}

// draw picks an operator of a group.
func (m *agMutator) draw(group uint8) uint8 {
	return m.odds.tables[group][m.rand.half()>>24]
}

// room is how much longer in may become.
func (m *agMutator) room(in *agInput) int { return m.maxLen - len(in.data) }

// agMutSpans are the bounds that span chooses among; branches would be mispredicted too often.
var agMutSpans = [32]int{
	2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 16, 16, 16, 16, 16, 16, 16, 16,
	64, 64, 64, 64, 64, 1024, 1024, 1 << 62,
}

// span draws a length in [1, n], n at least 1: mostly a few bytes, now and then up to all of n.
func (m *agMutator) span(n int) int {
	r := m.rand.half()
	if most := agMutSpans[r&31]; n > most {
		n = most
	}
	return 1 + int(uint64(r>>5)*uint64(n)>>27)
}

// block draws a non-empty range of n bytes, n at least 1.
func (m *agMutator) block(n int) (from, to int) {
	from = m.rand.below(n)
	return from, from + m.span(n-from)
}

// extra draws how much to add to argument i, 0 when there is no room.
func (m *agMutator) extra(in *agInput, i int) int {
	most := in.ends[i] - in.begin(i) + 32
	if room := m.room(in); most > room {
		most = room
	}
	if most <= 0 {
		return 0
	}
	return m.span(most)
}

// fill overwrites b with random bytes.
func (m *agMutator) fill(b []byte) {
	for len(b) >= 8 {
		agMutStore(b[:8], m.rand.next())
		b = b[8:]
	}
	if len(b) > 0 {
		agMutStore(b, m.rand.next())
	}
}

// agMutGap makes room for n bytes in argument i before data[at] and returns the gap, whose content is
// undefined.
func agMutGap(in *agInput, i, at, n int) []byte {
	old := len(in.data)
	if cap(in.data) < old+n {
		larger := make([]byte, old, 2*(old+n))
		copy(larger, in.data)
		in.data = larger
	}
	in.data = in.data[:old+n]
	copy(in.data[at+n:], in.data[at:old])
	for j := i; j < len(in.ends); j++ {
		in.ends[j] += n
	}
	return in.data[at : at+n]
}

// agMutShrink cuts the ends off variable arguments, the last one first, until in is no longer than
// maxLen or nothing is left to cut.
func agMutShrink(in *agInput, maxLen int) {
	for i := len(in.kinds) - 1; i >= 0 && len(in.data) > maxLen; i-- {
		if !in.kinds[i].variable() {
			continue
		}
		n := len(in.data) - maxLen
		if have := in.ends[i] - in.begin(i); n > have {
			n = have
		}
		in.splice(i, in.ends[i]-n, in.ends[i], nil)
	}
}

// agMutLoad reads b, at most 8 bytes, as a little-endian number.
func agMutLoad(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(b[0]) | uint64(b[1])<<8
	case 4:
		return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
	case 8:
		return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
	}
	v := uint64(0)
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// agMutStore writes the low bytes of v to b, little-endian.
func agMutStore(b []byte, v uint64) {
	if len(b) == 8 {
		_ = b[7]
		b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		b[4], b[5], b[6], b[7] = byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56)
		return
	}
	for i := range b {
		b[i] = byte(v)
		v >>= 8
	}
}

// agMutSame reports whether two byte slices are equal.
func agMutSame(a, b []byte) bool { return string(a) == string(b) }

// agMutRepeat fills b with copies of its first n bytes; n is at least 1.
func agMutRepeat(b []byte, n int) {
	for n < len(b) {
		n += copy(b[n:], b[:n])
	}
}
