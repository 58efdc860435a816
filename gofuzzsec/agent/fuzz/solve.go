package fuzz

// Solving comparisons. For every new corpus entry the solver looks at the operands that the target
// compared, and makes them equal by changing the input:
//
//   - operands that occur in the input, in one of many notations, are overwritten by the other side
//     (input-to-state correspondence; REDQUEEN: Aschermann et al., NDSS 2019);
//   - for the others it changes one byte at a time to learn which bytes an operand depends on and
//     how (fuzzing-driven taint inference; GREYONE: Gan et al., USENIX Security 2020), and solves for
//     those bytes, linearly where the dependency is linear (Eclipser: Choi et al., ICSE 2019), by
//     descent otherwise;
//   - a comparison of a field with something computed from the rest of the input, such as a checksum
//     or a length, is remembered as a link and mended after every other change (go-fuzz's sonar).
//
// What an execution gains is often not coverage but one more comparison that holds. The solver then
// goes on from there, so that conditions that count only together are met together.

// agMachine executes inputs for a solver. fresh means that the input brought something new and is
// kept already; ok is false when the budget is over or the process must stop, and the solver then
// returns at once. Neither method keeps or changes in.
type agMachine interface {
	run(in *agInput) (fresh, ok bool)
	traced(in *agInput) (fresh, ok bool)
	maxLen() int
	token(t []byte)
}

const (
	agSolveRounds  = 64  // times that all stages are gone through for one entry
	agSolveMatches = 8   // places of one operand in an input beyond which it says nothing
	agSolveDepth   = 64  // times that a loop which goes on is progress
	agSolveHeld    = 512 // comparisons kept equal while working on others
	agSolveSeen    = 1 << 18
)

// agSolver solves comparisons. It lives as long as the process, since what it learns about sites and
// links holds for the binary; base, trial and what follows them belong to one call of solve or
// repair. It is not safe for concurrent use.
type agSolver struct {
	sites map[uint64]*agSite
	links agLinks

	m       agMachine
	left    int
	spent   int
	stopped bool

	base   agInput // best so far; trace is its
	trace  agTrace
	trial  agInput // what is executed next
	guard  agSpan  // part of trial that mending must leave alone
	fresh  bool    // the attempt under way brought something new
	shrank bool    // the trial lost its end: no base for other targets
	moved  bool    // base was changed since the stage began
	last   int     // where in base the last change that made it ended
	held   []agRef // comparisons that base meets and that it should go on meeting
	seen   map[uint64]struct{}
	tried  map[uint64]struct{}
	met    map[agRef]struct{} // comparisons that held in some attempt
	depth  int                // times that going on in a loop may still count as progress
	serial uint32             // calls of solve so far
	lens   []agLenMove
	sized  bool // lens is that of base
	deps   []agDep
	depOf  []int32 // by number in trace: 1 + number in deps
	mended agMended
	probe  agInput
	proof  agTrace // of probe
	with   []byte  // scratch for what is written
	find   []byte  // scratch for what is looked for
	marks  []bool
}

func newAgSolver() *agSolver {
	return &agSolver{sites: make(map[uint64]*agSite)}
}

// solve works on the comparisons of in with at most budget executions, and returns how many it made.
// The same calls on the same target do the same. in is left as it is.
func (s *agSolver) solve(m agMachine, in *agInput, budget int) (spent int) {
	s.m, s.left, s.spent, s.stopped = m, budget, 0, false
	s.held = s.held[:0]
	s.seen, s.tried = make(map[uint64]struct{}), make(map[uint64]struct{})
	s.met = make(map[agRef]struct{})
	s.depth = agSolveDepth
	s.serial++
	s.trial.copyFrom(in)
	s.guard, s.last = agSpan{}, 0
	if !s.attempt() {
		return s.spent
	}
	s.rebase()
	s.offerTokens()
	for round := 0; round < agSolveRounds && !s.stopped; round++ {
		s.moved = false
		s.direct()
		if !s.stopped && !s.moved {
			s.depend()
		}
		if !s.stopped && !s.moved {
			s.descend()
		}
		if !s.moved {
			break
		}
	}
	s.m = nil
	return s.spent
}

// rebase makes the trial, which was just executed, the base.
func (s *agSolver) rebase() {
	s.base.copyFrom(&s.trial)
	s.trace.take()
	s.sized = false
}

// exec executes the trial once; false when that was the last execution.
func (s *agSolver) exec() bool {
	if s.stopped || s.left <= 0 {
		s.stopped = true
		return false
	}
	s.left--
	s.spent++
	agTidy(&s.trial)
	fresh, ok := s.m.traced(&s.trial)
	s.fresh = s.fresh || fresh
	s.stopped = !ok
	return ok
}

// agTidy makes every bool 0 or 1.
func agTidy(in *agInput) {
	for i, k := range in.kinds {
		if k.class == agBool {
			in.data[in.begin(i)] &= 1
		}
	}
}

// attempt executes the trial, and again while links can be mended. It reports whether the log holds
// the comparisons of the trial.
func (s *agSolver) attempt() bool {
	s.fresh = false
	s.mended.ref, s.mended.again, s.mended.given = agRef{}, 0, s.mended.given[:0]
	for round := 0; len(s.trial.data) <= s.m.maxLen() && s.exec(); round++ {
		if round == agMendRounds || !s.mend() {
			return true
		}
	}
	return false
}

// agOutcome is what became of one attempt at a target.
type agOutcome struct {
	ran   bool // it was executed, and the log is the trial's
	equal bool // the comparison held
	fresh bool
	based bool // the trial is the base now; what was written is where guard says
}

func (o agOutcome) won() bool { return o.equal || o.fresh }

// try attempts the trial for the sake of a target; a trial that meets it becomes the base when
// nothing is lost by that. A trial that was executed before is not executed again.
func (s *agSolver) try(t *agTarget) agOutcome {
	hash := agInputHash(&s.trial)
	if _, known := s.seen[hash]; known {
		return agOutcome{}
	}
	if len(s.seen) < agSolveSeen {
		s.seen[hash] = struct{}{}
	}
	t.site.dry++
	if !s.attempt() {
		return agOutcome{fresh: s.fresh}
	}
	out := agOutcome{ran: true, fresh: s.fresh}
	if r := agLive(t.ref); r != nil {
		out.equal = agLiveEqual(r)
	}
	if out.equal {
		s.met[t.ref] = struct{}{}
	}
	if out.fresh {
		t.site.dry = 0
	}
	if out.based = out.equal && !s.shrank && len(s.held) < agSolveHeld && s.keepsAll(); out.based {
		if t.rec.flags&agCmpConst == 0 || !s.ofLength(t.ref) {
			s.held = append(s.held, t.ref)
		}
	} else if s.depth > 0 && s.deeper() {
		s.depth--
		out.based = true
	}
	if out.based {
		s.rebase()
		s.moved, s.last = true, s.guard.to
	}
	return out
}

// keepsAll reports whether the log has every site that the base reached, and meets every comparison
// that is held: then the trial is no step back.
func (s *agSolver) keepsAll() bool { return s.meetsHeld() && !s.lacks(&s.trace) }

func (s *agSolver) meetsHeld() bool {
	for _, ref := range s.held {
		if r := agLive(ref); r == nil || !agLiveEqual(r) {
			return false
		}
	}
	return true
}

// lacks reports whether the log is without some site that trace has.
func (s *agSolver) lacks(trace *agTrace) bool {
	if cap(s.marks) < len(trace.recs) {
		s.marks = make([]bool, len(trace.recs)*2)
	}
	s.marks = s.marks[:len(trace.recs)]
	for i := range s.marks {
		s.marks[i] = false
	}
	recs := agCmpRecords()
	for i := range recs {
		if at := trace.find(recs[i].site, recs[i].nth); at >= 0 {
			s.marks[at] = true
		}
	}
	for i, mark := range s.marks {
		if !mark && trace.recs[i].nth == 0 {
			return true
		}
	}
	return false
}

// deeper reports whether the log meets what is held and goes on at a site that is held: a loop that
// compares went round once more, even if what came after it before is not reached now.
func (s *agSolver) deeper() bool {
	if s.shrank || !s.meetsHeld() {
		return false
	}
	last := uint64(0)
	for i := len(s.held) - 1; i >= 0 && i >= len(s.held)-agSolvePerSite; i-- {
		site := s.held[i].site
		if site != last && agVisits(agCmpRecords(), site) > agVisits(s.trace.recs, site) {
			return true
		}
		last = site
	}
	return false
}

// agVisits returns how often a site was reached.
func agVisits(recs []agCmp, site uint64) (n uint32) {
	for i := range recs {
		if recs[i].site == site && recs[i].nth >= n {
			n = recs[i].nth + 1
		}
	}
	return n
}

func agInputHash(in *agInput) uint64 {
	h := uint64(len(in.data))
	for _, end := range in.ends {
		h = (h ^ uint64(end)) * 0x9E3779B97F4A7C15
	}
	for _, b := range in.data {
		h = (h ^ uint64(b)) * 0x100000001B3
	}
	return h ^ h>>32
}

func (s *agSolver) site(id uint64) *agSite {
	site := s.sites[id]
	if site == nil {
		site = &agSite{}
		s.sites[id] = site
	}
	return site
}
