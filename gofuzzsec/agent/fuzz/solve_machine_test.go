package fuzz

import "testing"

// simTarget is what a simulated target sees of its execution: it calls the hooks as compiled code
// does, and marks edges.
type simTarget struct {
	edges map[int]int
	input *agInput
}

func (t *simTarget) edge(id int) { t.edges[id]++ }

func (t *simTarget) bytes(i int) []byte { return t.input.arg(i) }

// int compares two variables of width bytes, constInt a variable with a constant. Both return
// whether they are equal.
func (t *simTarget) int(site uint, width uint8, a, b uint64) bool {
	if agCmpOn {
		agTraceInt(width, a, b, site, false)
	}
	return a == b
}

func (t *simTarget) constInt(site uint, width uint8, constant, v uint64) bool {
	if agCmpOn {
		agTraceInt(width, constant, v, site, true)
	}
	return constant == v
}

// atLeast is v >= constant of two signed integers.
func (t *simTarget) atLeast(site uint, v, constant int) bool {
	t.constInt(site, 8, uint64(constant), uint64(v))
	return v >= constant
}

// str is a == b: the hook, and then the lengths that the compiled code compares.
func (t *simTarget) str(site uint, a, b string) bool {
	if agCmpOn {
		agTraceStr(a, b, site, false)
	}
	return t.int(site+1<<20, 8, uint64(len(a)), uint64(len(b))) && a == b
}

func (t *simTarget) fold(site uint, a, b string) bool {
	if agCmpOn {
		agTraceStr(a, b, site, true)
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if agCmpLower(a[i]) != agCmpLower(b[i]) {
			return false
		}
	}
	return true
}

// number parses digits the way strconv does, with its comparisons.
func (t *simTarget) number(site uint, s string) (n uint64, ok bool) {
	if t.constInt(site, 8, 0, uint64(len(s))) {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		t.constInt(site+1, 1, '0', uint64(c))
		if c < '0' {
			return 0, false
		}
		t.constInt(site+2, 1, '9', uint64(c))
		if c > '9' {
			return 0, false
		}
		t.edge(int(site))
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// simMachine runs a simulated target and is the simplest core there can be: a queue of what was
// fresh, the solver for each entry of it, and blind mutations with repair.
type simMachine struct {
	target func(t *simTarget) bool
	known  map[int]bool
	queue  []*agInput
	runs   int
	limit  int
	solved bool
	tokens map[string]bool
	trail  uint64 // hash of all that was executed
}

func newSimMachine(target func(t *simTarget) bool) *simMachine {
	return &simMachine{target: target, known: map[int]bool{}, limit: 20000, tokens: map[string]bool{}}
}

func (m *simMachine) exec(in *agInput) (fresh, ok bool) {
	m.runs++
	m.trail = m.trail*31 + agInputHash(in)
	t := &simTarget{edges: map[int]int{}, input: in}
	if m.target(t) {
		m.solved = true
	}
	for id, n := range t.edges {
		bucket := 0
		for ; n > 1<<bucket; bucket++ {
		}
		if key := id<<6 | bucket; !m.known[key] {
			m.known[key] = true
			fresh = true
		}
	}
	if fresh {
		kept := &agInput{}
		kept.copyFrom(in)
		m.queue = append(m.queue, kept)
	}
	return fresh, !m.solved && m.runs < m.limit
}

func (m *simMachine) run(in *agInput) (fresh, ok bool) { return m.exec(in) }

func (m *simMachine) traced(in *agInput) (fresh, ok bool) {
	agCmpReset()
	agCmpOn = true
	defer func() { agCmpOn = false }()
	return m.exec(in)
}

func (m *simMachine) maxLen() int { return 4096 }

func (m *simMachine) token(t []byte) { m.tokens[string(t)] = true }

// fuzz solves from a seed, and returns the executions that took.
func (m *simMachine) fuzz(seed *agInput) int {
	agCmpUnmuteAll()
	solver := newAgSolver()
	rand := newAgRand(1)
	first := &agInput{}
	first.copyFrom(seed)
	m.queue = append(m.queue, first)
	next := 0
	for m.runs < m.limit && !m.solved {
		for next < len(m.queue) && m.runs < m.limit && !m.solved {
			solver.solve(m, m.queue[next], 4000)
			next++
		}
		work := &agInput{}
		for i := 0; i < 50 && m.runs < m.limit && !m.solved; i++ {
			work.copyFrom(m.queue[rand.below(len(m.queue))])
			simMutate(work, &rand)
			if solver.hasChecksums() && i%2 == 0 {
				solver.repair(m, work)
			} else {
				m.run(work)
			}
		}
	}
	return m.runs
}

func simMutate(in *agInput, rand *agRand) {
	i := rand.below(len(in.kinds))
	from, to := in.begin(i), in.ends[i]
	at := from + rand.below(to-from)
	switch rand.below(3) {
	case 0:
		if in.kinds[i].variable() && len(in.data) < 1000 {
			in.splice(i, at, at, []byte{byte(rand.next()), byte(rand.next())})
		}
	case 1:
		if in.kinds[i].variable() && to > from {
			in.splice(i, at, at+1+rand.below(to-at-1), nil)
		}
	default:
		if to > from {
			in.data[at] ^= 1 << rand.below(8)
		}
	}
	agTidy(in)
}

func simBytes(data string) *agInput {
	return &agInput{kinds: []agKind{{class: agBytes}}, data: []byte(data), ends: []int{len(data)}}
}

// simScalar is an input of one scalar of width bytes that is 1.
func simScalar(class, width uint8) *agInput {
	data := make([]byte, width)
	data[0] = 1
	return &agInput{kinds: []agKind{{class, width}}, data: data, ends: []int{int(width)}}
}

// mustSolve fails the test unless the target is solved from the seed.
func mustSolve(t *testing.T, seed *agInput, target func(t *simTarget) bool) {
	t.Helper()
	m := newSimMachine(target)
	m.fuzz(seed)
	if !m.solved {
		t.Fatalf("not solved in %d executions; %d inputs kept, last %q", m.runs, len(m.queue), m.queue[len(m.queue)-1].data)
	}
	t.Logf("%d executions", m.runs)
}
