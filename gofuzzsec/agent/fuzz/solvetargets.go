package fuzz

// What to work on.

const (
	agSolveTargets = 256     // comparisons looked at in a stage,
	agSolveScanned = 1 << 21 // fewer in long inputs: about so many bytes are looked through
	agSolvePerSite = 10      // of these, of one site
	agTokensOfSite = 12
	agSiteRests    = 24   // dry attempts for which a site rests one call
	agMuteTries    = 2000 // dry attempts after which a site is muted
)

// agSite is what the solver knows of a comparison in the code.
type agSite struct {
	dry    uint32 // attempts since the last that brought something new
	turn   uint32 // number of the call of solve that it was last worked on in
	next   uint32 // it rests until this call, unless it compares with something not seen there
	goals  uint64 // filter (one bit each) of what it was compared with
	tokens uint8
	doubts uint8 // times that it did not prove to be a link
	climbs uint8 // descents that led nowhere
}

// agTarget is one comparison of the base that the solver wants to hold.
type agTarget struct {
	ref  agRef
	rec  agCmp
	site *agSite
}

// targets lists the comparisons of the base that do not hold: those of sites that gained something
// lately first, in the order of execution. Sites that never gain anything rest, in the end for good.
func (s *agSolver) targets() []agTarget {
	most := agSolveScanned / (len(s.base.data) + 1)
	if most > agSolveTargets {
		most = agSolveTargets
	} else if most < agSolveTargets/16 {
		most = agSolveTargets / 16
	}
	var list []agTarget
	count := make(map[uint64]int)
	limits := [...]uint32{32, 256, agMuteTries}
	low := uint32(0)
	for _, limit := range limits {
		for i := range s.trace.recs {
			r := &s.trace.recs[i]
			site := s.site(r.site)
			if site.dry >= agMuteTries && s.links.of(r.site) == nil {
				agCmpMute(r.site)
			}
			if site.dry < low || site.dry >= limit || s.trace.equal(i) {
				continue
			}
			if count[r.site] >= agSolvePerSite && r.nth < agCmpFirst || !s.due(site, r) {
				continue
			}
			count[r.site]++
			list = append(list, agTarget{r.ref(), *r, site})
			if len(list) == most {
				return list
			}
		}
		low = limit
	}
	return list
}

// due reports whether a site is to be worked on in this call.
func (s *agSolver) due(site *agSite, r *agCmp) bool {
	h := uint64(0)
	for side := 0; side < 2; side++ {
		for _, b := range s.trace.text(r, side) {
			h = (h ^ uint64(b)) * 0x100000001B3
		}
	}
	if r.flags&agCmpConst != 0 {
		h = r.a
	}
	bit := uint64(1) << (agCmpHash(h) & 63)
	if site.turn != s.serial && s.serial < site.next && site.goals&bit != 0 {
		return false
	}
	site.goals |= bit
	site.turn = s.serial
	site.next = s.serial + 1 + site.dry/agSiteRests
	return true
}

// refresh brings a target up to date with the base; false when it is met there or gone.
func (s *agSolver) refresh(t *agTarget) bool {
	at := s.trace.find(t.ref.site, t.ref.nth)
	if at < 0 || s.trace.equal(at) || s.stopped {
		return false
	}
	t.rec = s.trace.recs[at]
	return true
}

// first reports whether a stage meets these operands of a target for the first time in this call.
func (s *agSolver) first(stage uint64, t *agTarget) bool {
	h := t.ref.site ^ (uint64(t.ref.nth)*31+stage)*0x9E3779B97F4A7C15
	for side := 0; side < 2; side++ {
		h = (h ^ t.rec.value(side)) * 0xD6E8FEB86659FD93
		for _, b := range s.trace.text(&t.rec, side) {
			h = (h ^ uint64(b)) * 0x100000001B3
		}
		h ^= h >> 29
	}
	if _, known := s.tried[h]; known {
		return false
	}
	s.tried[h] = struct{}{}
	return true
}

// offerTokens hands constants that the base was compared with to the dictionary.
func (s *agSolver) offerTokens() {
	for i := range s.trace.recs {
		r := &s.trace.recs[i]
		site := s.site(r.site)
		if site.tokens >= agTokensOfSite {
			continue
		}
		if r.width > 1 && r.flags&agCmpConst != 0 && r.a > 255 && -r.a&agCmpMask(r.width) > 128 {
			site.tokens = agTokensOfSite // one constant is all there is
			for _, big := range [...]bool{false, true} {
				code := agCode{size: r.width, big: big}
				s.m.token(code.raw(nil, r.a, r.width))
			}
		}
		for side := 0; side < 2 && r.width == 0; side++ {
			text := s.trace.text(r, side)
			if len(text) < 2 || len(text) > 64 || uint64(len(text)) != r.value(side) {
				continue
			}
			if agFindBytes(s.base.data, text, 0, true) < 0 {
				site.tokens++
				s.m.token(append([]byte(nil), text...))
			}
		}
	}
}
