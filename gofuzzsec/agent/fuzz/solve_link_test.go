package fuzz

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// crcTarget checks a CRC-32 over the rest of the input, and a size of the payload behind it.
func crcTarget(t *simTarget) bool {
	b := t.bytes(0)
	if !t.atLeast(1, len(b), 8) {
		return false
	}
	t.edge(1)
	if !t.int(2, 8, uint64(binary.LittleEndian.Uint16(b[4:])), uint64(len(b)-6)) {
		return false
	}
	t.edge(2)
	if !t.int(3, 4, uint64(binary.BigEndian.Uint32(b)), uint64(crc32.ChecksumIEEE(b[4:]))) {
		return false
	}
	t.edge(3)
	t.constInt(4, 1, 'x', uint64(b[6])) // so that passing is seen in the comparisons
	return false
}

func crcValid(b []byte) bool {
	return len(b) >= 8 && int(binary.LittleEndian.Uint16(b[4:])) == len(b)-6 &&
		binary.BigEndian.Uint32(b) == crc32.ChecksumIEEE(b[4:])
}

// linkedSolver has learnt the links of crcTarget from a seed in which none holds.
func linkedSolver(t *testing.T) (*agSolver, *simMachine, *agInput) {
	t.Helper()
	agCmpUnmuteAll()
	m := newSimMachine(crcTarget)
	s := newAgSolver()
	if s.hasChecksums() {
		t.Fatal("a new solver has checksums")
	}
	m.queue = append(m.queue, simBytes("0123456789abcdefghijklmnop"))
	for i := 0; i < len(m.queue); i++ {
		s.solve(m, m.queue[i], 2000)
	}
	if !s.hasChecksums() {
		t.Fatal("no link was learnt")
	}
	for _, in := range m.queue {
		if crcValid(in.data) {
			return s, m, in
		}
	}
	t.Fatal("no valid input was found")
	return nil, nil, nil
}

func TestRepairMendsLengthAndChecksum(t *testing.T) {
	s, m, valid := linkedSolver(t)
	work := &agInput{}
	for _, edit := range []struct {
		name     string
		from, to int
		with     string
	}{
		{"a byte", 10, 11, "?"},
		{"bytes more", 12, 12, "inserted"},
		{"bytes less", 7, 12, ""},
		{"another checksum", 0, 4, "CRC!"},
		{"another length", 4, 6, "\x01\x01"},
	} {
		work.copyFrom(valid)
		work.splice(0, edit.from, edit.to, []byte(edit.with))
		before := m.runs
		if !s.repair(m, work) {
			t.Fatalf("%s: the machine stopped", edit.name)
		}
		if !crcValid(work.data) {
			t.Errorf("%s: %q is not valid", edit.name, work.data)
		}
		if runs := m.runs - before; runs > agMendRounds+1 {
			t.Errorf("%s: took %d executions", edit.name, runs)
		}
	}
}

func TestRepairLeavesValidInputsAlone(t *testing.T) {
	s, m, valid := linkedSolver(t)
	work := &agInput{}
	work.copyFrom(valid)
	before := m.runs
	s.repair(m, work)
	if !bytes.Equal(work.data, valid.data) || m.runs != before+1 {
		t.Errorf("%q became %q in %d executions", valid.data, work.data, m.runs-before)
	}
}

func TestRepairSaysWhenTheMachineStops(t *testing.T) {
	s, m, valid := linkedSolver(t)
	m.limit = m.runs
	work := &agInput{}
	work.copyFrom(valid)
	if s.repair(m, work) {
		t.Error("repair reports that more executions are possible")
	}
}

func TestSolveKeepsItsBudgetAndItsInput(t *testing.T) {
	for _, budget := range []int{0, 1, 7, 50} {
		m := newSimMachine(multiStagePuzzle)
		in := simBytes("packet with a header and some payload")
		before := append([]byte(nil), in.data...)
		spent := newAgSolver().solve(m, in, budget)
		if spent > budget || spent != m.runs {
			t.Errorf("budget %d: reports %d executions, made %d", budget, spent, m.runs)
		}
		if !bytes.Equal(in.data, before) {
			t.Errorf("budget %d: the input became %q", budget, in.data)
		}
	}
}

func TestConstantsBecomeTokens(t *testing.T) {
	m := newSimMachine(func(t *simTarget) bool {
		t.constInt(1, 4, 0xCAFEBABE, 0)
		t.constInt(2, 4, 7, 0)
		t.constInt(3, 8, ^uint64(0), 0)
		t.str(4, string(t.bytes(0)), "keyword")
		return false
	})
	newAgSolver().solve(m, simBytes("input"), 1000)
	for _, want := range []string{"\xCA\xFE\xBA\xBE", "\xBE\xBA\xFE\xCA", "keyword"} {
		if !m.tokens[want] {
			t.Errorf("no token %q in %v", want, m.tokens)
		}
	}
	if len(m.tokens) != 3 {
		t.Errorf("tokens %v", m.tokens)
	}
}

func TestUselessSitesAreMuted(t *testing.T) {
	agCmpUnmuteAll()
	defer agCmpUnmuteAll()
	m := newSimMachine(func(t *simTarget) bool {
		for _, b := range t.bytes(0) {
			t.constInt(1, 1, 200, uint64(b))
		}
		return false
	})
	m.limit = 1 << 20
	s := newAgSolver()
	rand := newAgRand(3)
	for i := 0; i < 4000; i++ {
		in := simBytes("some input that means nothing to the target")
		in.data[rand.below(len(in.data))] = byte(rand.next())
		s.solve(m, in, 200)
	}
	for site := range s.sites {
		if !agCmpIsMuted(site) {
			t.Errorf("site %x is recorded after %d executions", site, m.runs)
		}
	}
	if m.runs > 60000 {
		t.Errorf("%d executions were spent on it", m.runs)
	}
}

// TestHostileTargets runs targets whose comparisons have nothing to do with the input or depend on
// more than it: whatever they do, the solver ends and stays within bounds.
func TestHostileTargets(t *testing.T) {
	rand := newAgRand(9)
	seed := simBytes("seed that goes nowhere")
	mixed := &agInput{
		kinds: []agKind{{agBool, 1}, {class: agString}, {agFloat, 8}, {class: agBytes}, {agSigned, 2}},
		data:  []byte("\x01abc12345678de\x07\x00"), ends: []int{1, 4, 12, 14, 16},
	}
	empty := &agInput{kinds: []agKind{{class: agBytes}, {class: agString}}, data: nil, ends: []int{0, 0}}
	none := &agInput{}
	for _, in := range []*agInput{seed, mixed, empty, none} {
		for round := 0; round < 5; round++ {
			m := newSimMachine(func(t *simTarget) bool {
				for i := 0; i < 30; i++ {
					site := uint(rand.below(12))
					switch rand.below(4) {
					case 0:
						t.int(site, 1<<rand.below(4), rand.next()>>56, rand.next()>>48)
					case 1:
						t.constInt(site, 8, uint64(len(t.input.data)), rand.next()>>60)
					case 2:
						t.str(site, string(t.input.data), "abc"[:rand.below(4)])
					default:
						t.str(site, string(t.input.data[rand.below(len(t.input.data)):]), string(t.input.data))
					}
				}
				t.edge(rand.below(50))
				return false
			})
			m.limit = 1 << 20
			s := newAgSolver()
			for i := 0; i < 3; i++ {
				if spent := s.solve(m, in, 500); spent > 500 {
					t.Fatalf("%d executions", spent)
				}
			}
			for _, kept := range m.queue {
				checkInput(t, in, kept)
			}
		}
	}
}

func checkInput(t *testing.T, seed, in *agInput) {
	t.Helper()
	if len(in.data) > 4096 || len(in.ends) != len(seed.ends) || len(in.ends) > 0 && in.ends[len(in.ends)-1] != len(in.data) {
		t.Fatalf("%d bytes, arguments end at %v", len(in.data), in.ends)
	}
	for i, kind := range in.kinds {
		if in.ends[i] < in.begin(i) || !kind.variable() && len(in.arg(i)) != int(kind.width) {
			t.Fatalf("argument %d is %q", i, in.arg(i))
		}
		if kind.class == agBool && in.arg(i)[0] > 1 {
			t.Fatalf("bool is %d", in.arg(i)[0])
		}
	}
}
