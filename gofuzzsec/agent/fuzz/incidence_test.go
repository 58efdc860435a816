package fuzz

import (
	"reflect"
	"testing"
)

// incidences sums the records of what executions showed; by index.
func (s *coreSim) incidences(t *testing.T) (runs uint64, counts map[uint32]uint64) {
	t.Helper()
	counts = map[uint32]uint64{}
	for _, r := range s.of(t, agRecordIncidence) {
		runs += r.u64()
		for n := r.u32(); n > 0; n-- {
			index := r.u32()
			counts[index] += uint64(r.u32())
		}
		if r.bad || len(r.b) != 0 {
			t.Fatal("a record of incidences has other fields than expected")
		}
	}
	return runs, counts
}

// incidenceTarget makes calls 0 (two outcomes of it) and 1, each for some inputs; the truth is in want.
func incidenceTarget(want map[uint32]uint64) func(s *coreSim, data []byte) (bool, string) {
	return func(s *coreSim, data []byte) (bool, string) {
		s.counters[0]++
		sum := 0
		for _, b := range data {
			sum += int(b)
		}
		if sum%2 == 0 {
			s.made = append(s.made, 1)
		}
		if sum%3 == 0 {
			s.made = append(s.made, 2)
		}
		if sum%2 == 0 || sum%3 == 0 {
			want[64]++
		}
		if sum%5 == 0 {
			s.made = append(s.made, 32)
			want[65]++
		}
		for _, f := range s.made {
			want[f]++
		}
		return sum%7 == 0, "x_test.go:5: bang"
	}
}

func TestIncidencesAreThoseOfRandomMutations(t *testing.T) {
	want := map[uint32]uint64{}
	s := coreBytes(t, incidenceTarget(want))
	// What is known brings no find, so that nothing but random mutations runs.
	known := make([]byte, len(s.cov.known))
	for i := range known {
		known[i] = 0xff
	}
	s.plan(t, corePlan{seed: 1, known: known, items: []coreItem{
		{id: 1, energy: 500, input: simBytes("abc")},
		{id: 2, energy: 300, input: simBytes("xyz")},
	}})
	runs, counts := s.incidences(t)
	if runs != 800 || !reflect.DeepEqual(counts, want) || len(want) != 5 {
		t.Errorf("%d executions and %v are told, want 800 and %v", runs, counts, want)
	}
	if s.ask(agRequestBatch, nil); len(s.of(t, agRecordIncidence)) != 0 {
		t.Error("a batch tells of incidences")
	}
}

func TestFindsAreNoDraws(t *testing.T) {
	s := coreBytes(t, incidenceTarget(map[uint32]uint64{}))
	s.plan(t, corePlan{seed: 1, flags: agPlanSolve, solveBudget: 100, items: []coreItem{
		{id: 1, energy: 2000, solve: true, input: simBytes("abc")},
	}})
	runs, _ := s.incidences(t)
	if havoc := *s.mem.word(agWordHavocRuns); runs != havoc || runs >= uint64(s.runs) {
		t.Errorf("%d executions are told, %d of %d were random mutations", runs, havoc, s.runs)
	}
}

func TestIncidencesThatDoNotFitAreToldLater(t *testing.T) {
	want := map[uint32]uint64{}
	target := incidenceTarget(want)
	s := newCoreSim(t, 80, []reflect.Kind{reflect.Slice}, func(s *coreSim, values []any) (bool, string) {
		target(s, values[0].([]byte))
		return false, ""
	})
	known := make([]byte, len(s.cov.known))
	for i := range known {
		known[i] = 0xff
	}
	p := corePlan{seed: 1, known: known, items: []coreItem{{id: 1, energy: 100, input: simBytes("abc")}}}
	s.plan(t, p) // 32 bytes say what the item took: these do not fit beside it
	if runs, _ := s.incidences(t); runs != 0 || s.end() != agEndFull {
		t.Fatalf("%d executions are told, the end is %d", runs, s.end())
	}
	s.mem.results = make([]byte, 1000)
	s.plan(t, p)
	if runs, counts := s.incidences(t); runs != 200 || !reflect.DeepEqual(counts, want) {
		t.Errorf("%d executions and %v are told, want 200 and %v", runs, counts, want)
	}
}

func BenchmarkIncidence(b *testing.B) {
	n := newAgIncidence(16384)
	features := []uint32{1, 96, 97, 8224, 8257}
	for i := 0; i < b.N; i++ {
		n.see(features)
	}
}
