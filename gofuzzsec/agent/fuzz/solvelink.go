package fuzz

// Links: comparisons of a field of the input with something that the target computes from the rest
// of it, such as a checksum, a digest, a length or a copy.

const (
	agMendRounds = 12 // executions that mending one input may take beyond the first
	agMendPlaces = 4  // places tried for one field
	agLinksMost  = 64
	agLinkProbes = 21 // bytes changed to prove a link
	agLinkDoubts = 4  // failed proofs after which a site is no longer suspected
)

// agLink is a site that compares a field with something computed.
type agLink struct {
	site      uint64
	side      int // the field's
	code      agCode
	fromStart int // where the field was in its argument
	fromEnd   int
	arg       int
	sized     int // the argument whose length moves the computed side one to one, -1 for none
	wins      int // mended, and not
	fails     int
}

// agLinks are the links learnt so far.
type agLinks struct {
	list  []*agLink
	bloom uint64 // a bit for each site: most sites are told apart without looking at the list
}

func (l *agLinks) of(site uint64) *agLink {
	if l.bloom>>(agCmpHash(site)&63)&1 == 0 {
		return nil
	}
	for _, link := range l.list {
		if link.site == site {
			return link
		}
	}
	return nil
}

func (l *agLinks) add(link *agLink) {
	if len(l.list) < agLinksMost {
		l.list = append(l.list, link)
		l.bloom |= 1 << (agCmpHash(link.site) & 63)
	}
}

func (l *agLinks) drop(link *agLink) {
	kept := l.list[:0]
	l.bloom = 0
	for _, other := range l.list {
		if other != link {
			kept = append(kept, other)
			l.bloom |= 1 << (agCmpHash(other.site) & 63)
		}
	}
	l.list = kept
}

// hasChecksums reports whether repair has anything to do.
func (s *agSolver) hasChecksums() bool { return len(s.links.list) > 0 }

// repair executes in, and as long as links are broken in it, mends one and executes it again. in
// becomes what was executed last. ok is false when the budget is over.
func (s *agSolver) repair(m agMachine, in *agInput) (ok bool) {
	s.m, s.left, s.stopped = m, agMendRounds+1, false
	s.trial.copyFrom(in)
	s.guard = agSpan{}
	s.attempt()
	s.m = nil
	in.copyFrom(&s.trial)
	return !s.stopped
}

// agMended is the state of mending one input.
type agMended struct {
	ref   agRef
	again int       // how many places were tried for ref
	saved agInput   // the trial before that,
	rec   agCmp     // the comparison in it
	text  [2][]byte // and its operands, for strings
	given []agRef   // given up in this attempt
}

// mend changes the trial, whose comparisons are in the log, so that the first link that is broken
// holds. It returns false when there is nothing to mend, or no way.
func (s *agSolver) mend() bool {
	if len(s.links.list) == 0 {
		return false
	}
	recs := agCmpRecords()
	for i := range recs {
		r := &recs[i]
		link := s.links.of(r.site)
		if link == nil || s.mended.gaveUp(r.ref()) {
			continue
		}
		if agLiveEqual(r) {
			if r.ref() == s.mended.ref {
				link.wins++
				s.mended.ref = agRef{}
			}
			continue
		}
		if s.mendOne(r, link) {
			return true
		}
	}
	return false
}

func (m *agMended) gaveUp(ref agRef) bool {
	for _, other := range m.given {
		if other == ref {
			return true
		}
	}
	return false
}

// mendOne makes the next attempt at a link: the field at another place, then the length.
func (s *agSolver) mendOne(r *agCmp, link *agLink) bool {
	if s.mended.ref == r.ref() {
		s.mended.again++
		s.trial.copyFrom(&s.mended.saved)
	} else {
		s.mended.ref, s.mended.again = r.ref(), 0
		s.mended.saved.copyFrom(&s.trial)
		s.mended.rec = *r
		for side := range s.mended.text {
			s.mended.text[side] = append(s.mended.text[side][:0], agLiveText(r, side)...)
		}
	}
	r = &s.mended.rec
	spans := s.fieldPlaces(r, link)
	if s.mended.again < len(spans) {
		span := spans[s.mended.again]
		arg := agArgOf(&s.trial, span)
		with := s.computed(r, link, span)
		if !s.trial.kinds[arg].variable() && len(with) != span.to-span.from ||
			agCmpSame(with, s.trial.data[span.from:span.to]) {
			s.giveUp(link)
			return false
		}
		s.trial.splice(arg, span.from, span.to, with)
		s.shiftGuard(span, len(with))
		return true
	}
	switch s.mended.again - len(spans) {
	case 0:
		if s.mendLength(r, link) {
			return true
		}
		s.mended.again++
		fallthrough
	case 1:
		if s.mendOther(r, link) {
			return true
		}
	}
	s.giveUp(link)
	return false
}

// shiftGuard moves the guarded part along when something before it changes its length.
func (s *agSolver) shiftGuard(span agSpan, size int) {
	if span.to <= s.guard.from {
		s.guard.from += size - (span.to - span.from)
		s.guard.to += size - (span.to - span.from)
	}
}

// giveUp counts a link that could not be mended; one that hardly ever can is no link.
func (s *agSolver) giveUp(link *agLink) {
	link.fails++
	s.mended.given = append(s.mended.given, s.mended.ref)
	if link.fails > 64 && link.fails > 16*link.wins {
		s.links.drop(link)
	}
}

// fieldPlaces lists where the field of a link is in the trial, the likeliest place first, outside
// what is guarded.
func (s *agSolver) fieldPlaces(r *agCmp, link *agLink) []agSpan {
	var spans []agSpan
	add := func(span agSpan) {
		for _, known := range spans {
			if known == span {
				return
			}
		}
		if len(spans) < agMendPlaces && !span.meets(s.guard) && agArgOf(&s.trial, span) >= 0 {
			spans = append(spans, span)
		}
	}
	if link.code.kind == agCodeDigits {
		for i := range s.trial.ends {
			at := s.trial.begin(i)
			for {
				number, ok := agNextNumber(s.trial.data, at, s.trial.ends[i], link.code.base)
				if !ok || !s.trial.kinds[i].variable() {
					break
				}
				at = number.span.to
				if agIsNumber(number, r.value(link.side), r.width) {
					add(number.span)
				}
			}
		}
		return spans
	}
	s.find = s.written(s.find[:0], r, link, link.side)
	n := len(s.find)
	if link.arg < len(s.trial.ends) {
		fromStart, fromEnd := s.trial.begin(link.arg)+link.fromStart, s.trial.ends[link.arg]-link.fromEnd
		for _, at := range [...]int{fromStart, fromEnd} {
			if at >= 0 && at+n <= len(s.trial.data) && agCmpSame(s.trial.data[at:at+n], s.find) {
				add(agSpan{at, at + n})
			}
		}
	}
	fold := link.code.kind == agCodeFold
	at := agFindBytes(s.trial.data, s.find, 0, fold)
	for at >= 0 && len(spans) < agMendPlaces {
		add(agSpan{at, at + n})
		at = agFindBytes(s.trial.data, s.find, at+1, fold)
	}
	return spans
}

// written appends one operand the way a link's field is written.
func (s *agSolver) written(to []byte, r *agCmp, link *agLink, side int) []byte {
	if r.width == 0 {
		return link.code.textOf(to, s.mended.text[side])
	}
	return link.code.raw(to, r.value(side), r.width)
}

// computed returns what belongs into a link's field that is in span now.
func (s *agSolver) computed(r *agCmp, link *agLink, span agSpan) []byte {
	if link.code.kind != agCodeDigits {
		s.with = s.written(s.with[:0], r, link, 1-link.side)
		return s.with
	}
	least := 1
	if link.code.fixed || s.trial.data[span.from] == '0' {
		least = span.to - span.from
	}
	s.with = link.code.digits(s.with[:0], r.value(1-link.side), r.width, least, false)
	return s.with
}

// mendLength makes the computed side what the field says, where it is the length of an argument.
func (s *agSolver) mendLength(r *agCmp, link *agLink) bool {
	if link.sized < 0 || r.width == 0 {
		return false
	}
	far := agCmpExtend(r.value(link.side)-r.value(1-link.side), r.width)
	if far < -agLenMostFar || far > agLenMostFar || len(s.trial.data)+int(far) > s.m.maxLen() {
		return false
	}
	end := s.trial.ends[link.sized]
	if s.guard.to == end && s.guard.from < end && far < 0 {
		return false
	}
	span := s.lengthen(link.sized, int(far))
	s.shiftGuard(agSpan{end, end}, span.to-span.from)
	return true
}

// mendOther writes the field's value where the other side is in the input, for one that is a copy
// and no computation.
func (s *agSolver) mendOther(r *agCmp, link *agLink) bool {
	if link.code.kind != agCodeRaw || r.width != 0 && link.code.size < 2 {
		return false
	}
	code := link.code
	for order := 0; order < 2; order++ {
		other := agLink{code: code}
		s.find = s.written(s.find[:0], r, &other, 1-link.side)
		at := agFindBytes(s.trial.data, s.find, 0, false)
		for ; at >= 0; at = agFindBytes(s.trial.data, s.find, at+1, false) {
			span := agSpan{at, at + len(s.find)}
			s.with = s.written(s.with[:0], r, &other, link.side)
			if arg := agArgOf(&s.trial, span); arg >= 0 && !span.meets(s.guard) && len(s.with) == len(s.find) {
				s.trial.splice(arg, span.from, span.to, s.with)
				return true
			}
		}
		code.big = !code.big
	}
	return false
}

// suspect finds out whether a target that was just met by writing the other side at a place is a
// link: then that side changes when something else in the input does, and the field stays. The
// trial is the input that meets it.
func (s *agSolver) suspect(t *agTarget, side int, code agCode, span agSpan) {
	if t.site.doubts >= agLinkDoubts || s.links.of(t.ref.site) != nil {
		return
	}
	s.probe.copyFrom(&s.trial)
	s.proof.take()
	arg := agArgOf(&s.probe, span)
	if arg < 0 || !agFieldThere(&s.probe, t, code, span) {
		return
	}
	link := &agLink{site: t.ref.site, side: side, code: code, arg: arg, sized: -1}
	link.fromStart = span.from - s.probe.begin(arg)
	link.fromEnd = s.probe.ends[arg] - span.from
	n := len(s.probe.data)
	near := [agLinkProbes]int{span.from - 1, span.to, span.from - 3, span.to + 3, n - 1}
	for i := 5; i < agLinkProbes; i++ {
		near[i] = n * (2*i - 9) / (2 * (agLinkProbes - 5))
	}
	field := t.rec.value(1 - side) // what both sides are now
	moved := 0
	for _, at := range near {
		if at < 0 || at >= n || span.from <= at && at < span.to || moved >= 3 || s.stopped {
			continue
		}
		s.trial.copyFrom(&s.probe)
		s.trial.data[at] ^= 1
		s.guard = agSpan{at, at + 1}
		if s.movesOther(t, side, field) != 0 {
			moved++
		}
	}
	for i, kind := range s.probe.kinds {
		if kind.variable() && link.sized < 0 && !s.stopped && n < s.m.maxLen() {
			s.trial.copyFrom(&s.probe)
			s.guard = s.lengthen(i, 1)
			if far := s.movesOther(t, side, field); far == 1 && t.rec.width > 1 {
				// Unequal lengths that make no difference were compared for their order.
				if s.lacks(&s.proof) {
					link.sized = i
				}
			} else if far != 0 {
				moved++
			}
		}
	}
	if moved >= 2 || link.sized >= 0 {
		s.links.add(link)
	} else {
		t.site.doubts++
	}
}

// agFieldThere guards against a field that mending moved away.
func agFieldThere(in *agInput, t *agTarget, code agCode, span agSpan) bool {
	r := agLive(t.ref)
	if r == nil || span.to > len(in.data) {
		return false
	}
	if code.kind == agCodeDigits {
		return true
	}
	var want []byte
	if r.width == 0 {
		want = code.textOf(nil, agLiveText(r, 0))
	} else {
		want = code.raw(nil, r.a, r.width)
	}
	return code.kind == agCodeFold || agCmpSame(in.data[span.from:span.to], want)
}

// movesOther executes the trial and reports by how much the side that is not the field's moved from
// field, what both sides are when the target is met; 0 when the field's did too, or when the comparison was not reached.
func (s *agSolver) movesOther(t *agTarget, side int, field uint64) int64 {
	if !s.attempt() {
		return 0
	}
	r := agLive(t.ref)
	if r == nil || agLiveEqual(r) || r.value(side) != field {
		return 0
	}
	if r.width != 0 {
		return agCmpExtend(r.value(1-side)-field, r.width)
	}
	return 2
}
