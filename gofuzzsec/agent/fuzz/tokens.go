package fuzz

const (
	agTokenMax   = 128 // bytes of a token learnt while running
	agRingSets   = 64
	agRingWays   = 8
	agRingTokens = agRingSets * agRingWays
)

// agMutTokens are the dictionaries. user and auto are only read; learnt is our own.
type agMutTokens struct {
	user, auto [][]byte
	learnt     agMutTokenRing
}

// pick draws a token, the user's and the learnt ones more often; nil when there are none.
func (t *agMutTokens) pick(r *agRand) []byte {
	user, learnt, auto := 0, 0, 0
	if len(t.user) > 0 {
		user = 3
	}
	if t.learnt.count > 0 {
		learnt = 3
	}
	if len(t.auto) > 0 {
		auto = 2
	}
	switch from := r.below(user + learnt + auto); {
	case from < user:
		return t.user[r.below(len(t.user))]
	case from < user+learnt:
		return t.learnt.at(r.below(t.learnt.count))
	case auto > 0:
		return t.auto[r.below(len(t.auto))]
	}
	return nil
}

// agMutTokenRing keeps the latest distinct tokens: a token's hash names a set, whose oldest token makes
// way when the set is full. So a token is found or added at a cost that does not depend on how many
// there are, and after filling up nothing is allocated.
type agMutTokenRing struct {
	sets   [agRingSets]agMutTokenSet
	filled [agRingTokens]uint16 // the slots in use, set*agRingWays+way, in the order they were first used
	count  int                  // of filled
}

// agMutTokenSet holds up to agRingWays tokens; an empty one marks a free slot.
type agMutTokenSet struct {
	tokens [agRingWays][]byte
	oldest uint8
}

// add puts a copy of t in, unless it is empty, too long or there already.
func (r *agMutTokenRing) add(t []byte) {
	if len(t) == 0 || len(t) > agTokenMax {
		return
	}
	hash := uint32(2166136261) // FNV-1a
	for _, c := range t {
		hash = (hash ^ uint32(c)) * 16777619
	}
	number := (hash ^ hash>>16) % agRingSets
	set := &r.sets[number]
	for _, known := range set.tokens {
		if agMutSame(known, t) {
			return
		}
	}
	way := set.oldest
	set.oldest = (way + 1) % agRingWays
	if len(set.tokens[way]) == 0 {
		r.filled[r.count] = uint16(number)*agRingWays + uint16(way)
		r.count++
	}
	set.tokens[way] = append(set.tokens[way][:0], t...)
}

// at returns token k, k less than count. It stays valid until the next add.
func (r *agMutTokenRing) at(k int) []byte {
	slot := r.filled[k]
	return r.sets[slot/agRingWays].tokens[slot%agRingWays]
}

// clear empties the ring.
func (r *agMutTokenRing) clear() { *r = agMutTokenRing{} }

// insertToken inserts a token.
func (m *agMutator) insertToken(in *agInput, i int) bool {
	token := m.tokens.pick(&m.rand)
	if len(token) == 0 || len(token) > m.room(in) {
		return false
	}
	at := m.place(in, i)
	in.splice(i, at, at, token)
	return true
}

// overwriteToken puts a token in place of as many bytes, or of a whole word.
func (m *agMutator) overwriteToken(in *agInput, i int) bool {
	b := in.arg(i)
	token := m.tokens.pick(&m.rand)
	if len(token) == 0 || len(b) == 0 {
		return false
	}
	from := m.rand.below(len(b))
	to := from + len(token)
	if m.rand.half()>>31 == 0 {
		from, to = agMutWord(b, from)
	}
	if to > len(b) {
		to = len(b)
	}
	if len(token)-(to-from) > m.room(in) || agMutSame(b[from:to], token) {
		return false
	}
	in.splice(i, in.begin(i)+from, in.begin(i)+to, token)
	return true
}

// agMutWordMax bounds the length of a word on either side of the place it is looked for.
const agMutWordMax = 32

// agMutWord returns the run of letters and digits around b[at], just b[at] when it is neither.
func agMutWord(b []byte, at int) (from, to int) {
	from, to = at, at+1
	if !agMutAlnum(b[at]) {
		return from, to
	}
	for from > 0 && at-from < agMutWordMax && agMutAlnum(b[from-1]) {
		from--
	}
	for to < len(b) && to-at < agMutWordMax && agMutAlnum(b[to]) {
		to++
	}
	return from, to
}

func agMutAlnum(c byte) bool { return agMutDigit(c) || agMutLetter(c) || c == '_' }

func agMutLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func agMutDigit(c byte) bool { return '0' <= c && c <= '9' }
