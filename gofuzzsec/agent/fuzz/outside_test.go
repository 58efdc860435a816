package fuzz

import (
	"reflect"
	"testing"
)

// watched is a core whose kernel sees the calls that the target puts down with coreSim.behind.
func watched(t *testing.T, target func(s *coreSim, data []byte)) *coreSim {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		target(s, data)
		return false, ""
	})
	s.host.outside = func(to, made []uint32) []uint32 { return append(to, agWithin(made, s.unseen)...) }
	s.parent, s.control = 42, simBytes("control")
	return s
}

// behind makes a system call that only the kernel sees.
func (s *coreSim) behind(feature uint32) {
	s.made, s.unseen = append(s.made, feature), append(s.unseen, feature)
}

func (s *coreSim) call(feature uint32) uint32 { return uint32(s.cov.padded)*8 + feature }

// look executes an input, and looks into it if it brought something new.
func (s *coreSim) look(data string) (kept bool) {
	s.exec(simBytes(data))
	return s.cov.fresh && s.keep(simBytes(data))
}

func TestACallThatOnlyTheKernelSeesIsKeptWhenItAlwaysComes(t *testing.T) {
	s := watched(t, func(s *coreSim, data []byte) {
		if len(data) > 0 && data[0] == '!' {
			s.behind(9)
		}
	})
	if !s.look("!and what is of no use") {
		t.Fatal("not kept")
	}
	f := s.findings(t)[0]
	want := []uint32{s.call(9)}
	if !reflect.DeepEqual(f.fresh, want) || !reflect.DeepEqual(f.features, want) || string(f.input.data) != "!" {
		t.Errorf("kept %q for %v with %v, want %v", f.input.data, f.fresh, f.features, want)
	}
	if s.look("!") {
		t.Error("kept again")
	}
}

func TestASpellOfChanceIsNotKeptForAndNotAskedForWithoutEnd(t *testing.T) {
	on := true
	s := watched(t, func(s *coreSim, data []byte) {
		s.made = append(s.made, 1)
		if on {
			s.behind(9)
		}
	})
	s.cov.learn([]uint32{s.call(1)})
	for i := 0; i < agMostFlukes; i++ {
		s.runs = 0
		if s.look("x") {
			t.Fatal("kept for a call that every input shows")
		}
		if s.runs != 4 { // the find, once more, the control, and once more
			t.Fatalf("look %d took %d executions", i, s.runs)
		}
	}
	if s.exec(simBytes("x")); s.cov.fresh {
		t.Errorf("still fresh after %d looks", agMostFlukes)
	}
	if n := len(s.findings(t)); n != 0 {
		t.Errorf("%d finds", n)
	}
}

func TestACallThatWasChanceOnceMayStillBeAnInputsDoing(t *testing.T) {
	s := watched(t, func(s *coreSim, data []byte) {
		if s.runs == 1 || string(data) == "does it" {
			s.behind(9)
		}
	})
	if s.look("does nothing") || !s.look("does it") {
		t.Error("kept the wrong one")
	}
}

func TestChanceIsNotCreditedToAFindThatIsKeptForCoverage(t *testing.T) {
	s := watched(t, func(s *coreSim, data []byte) {
		if string(data) != "control" {
			s.counters[5]++
			s.behind(4)
		}
		s.behind(7)
		s.behind(uint32(20 + s.runs))
	})
	s.cov.learn([]uint32{s.call(4)}) // known, and the input's doing
	s.exec(simBytes("x"))
	if !s.keep(simBytes("x")) {
		t.Fatal("not kept")
	}
	f := s.findings(t)[0]
	if !reflect.DeepEqual(f.fresh, []uint32{40}) {
		t.Errorf("kept for %v, want the coverage alone", f.fresh)
	}
	if want := []uint32{40, s.call(4)}; !reflect.DeepEqual(f.features, want) {
		t.Errorf("credited with %v, want %v", f.features, want)
	}
}

func TestTrimmingDoesNotLoseWhatOnlyTheKernelSees(t *testing.T) {
	s := watched(t, func(s *coreSim, data []byte) {
		whole := len(data) == 8
		// While it is made smaller, every run shows the call by chance.
		trimming := *s.mem.word(agWordConfirmRuns) == 1+2*agProofs && string(data) != "control"
		if whole || trimming {
			s.behind(9)
		}
	})
	s.exec(simBytes("12345678"))
	s.keep(simBytes("12345678"))
	if *s.mem.word(agWordTrimRuns) == 0 {
		t.Fatal("nothing was trimmed")
	}
	if f := s.findings(t)[0]; string(f.input.data) != "12345678" {
		t.Errorf("kept %q for a call that it did not make", f.input.data)
	}
}

func TestABatchCreditsWhatTheKernelSawInBothRuns(t *testing.T) {
	s := watched(t, func(s *coreSim, data []byte) {
		s.made = append(s.made, uint32(s.runs))
		s.behind(9)
		s.behind(uint32(20 + s.runs))
	})
	base := s.call(0)
	s.ask(agRequestBatch, coreBatch(agBatchTwice, nil, simBytes("x")))
	if got, want := s.results(t)[0].features, []uint32{base + 9, base + 1, base + 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("credited with %v, want %v", got, want)
	}
	s.ask(agRequestBatch, coreBatch(0, nil, simBytes("x")))
	if got, want := s.results(t)[0].features, []uint32{base + 3}; !reflect.DeepEqual(got, want) {
		t.Errorf("a single run is credited with %v, want %v", got, want)
	}
}
