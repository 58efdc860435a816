package fuzz

import (
	"reflect"
	"strings"
	"testing"
)

func TestHelloSaysWhatIsThere(t *testing.T) {
	types := []reflect.Kind{reflect.Slice, reflect.Uint16, reflect.Float64, reflect.Bool}
	s := newCoreSim(t, 1<<20, types, nil)
	for word, want := range map[int]uint64{
		agWordMagic: agMagic, agWordCounters: 333, agWordCalls: coreCallFeatures, agWordArgs: 4,
	} {
		if got := *s.mem.word(word); got != want {
			t.Errorf("word %d is %d, want %d", word, got, want)
		}
	}
	kinds := s.mem.region[agKindsAt : agKindsAt+8]
	if want := []byte{agBytes, 0, agUnsigned, 2, agFloat, 8, agBool, 1}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds are %v, want %v", kinds, want)
	}
}

func TestTheInputLiesInMemoryWhileItRuns(t *testing.T) {
	var seen []string
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		n := *s.mem.word(agWordInputLen)
		in := agInput{kinds: s.kinds}
		if !agWireDecode(s.mem.input[:n], &in) {
			t.Fatal("what lies in memory is no input")
		}
		seen = append(seen, string(in.arg(0)))
		for i := range data {
			data[i] = 'z'
		}
		return false, ""
	})
	s.exec(simBytes("first"))
	in := simBytes("second, longer")
	s.exec(in)
	if want := []string{"first", "second, longer"}; !reflect.DeepEqual(seen, want) {
		t.Errorf("in memory were %q, want %q", seen, want)
	}
	if string(in.data) != "second, longer" {
		t.Errorf("a target that writes to its argument changed the core's input to %q", in.data)
	}
	if *s.mem.word(agWordCount) != 2 {
		t.Errorf("%d executions are counted, want 2", *s.mem.word(agWordCount))
	}
}

func TestKeepReportsWhatComesAgain(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		s.counters[7]++
		if s.runs == 1 {
			s.counters[9]++ // as lazy set-up does
		}
		s.made = append(s.made, 3)
		return false, ""
	})
	s.exec(simBytes("x"))
	if !s.cov.fresh {
		t.Fatal("nothing is fresh in the first execution")
	}
	s.parent = 42
	if !s.keep(simBytes("x")) {
		t.Fatal("not kept")
	}
	call := uint32(s.cov.padded)*8 + 3
	finds := s.findings(t)
	if len(finds) != 1 {
		t.Fatalf("%d finds, want 1", len(finds))
	}
	f := finds[0]
	if want := []uint32{7 * 8, call}; !reflect.DeepEqual(f.features, want) || !reflect.DeepEqual(f.fresh, want) {
		t.Errorf("features %v, fresh %v, want %v for both", f.features, f.fresh, want)
	}
	if f.parent != 42 || f.callers != "3" {
		t.Errorf("parent %d, callers %q", f.parent, f.callers)
	}
	s.exec(simBytes("y"))
	if s.cov.fresh {
		t.Error("what was kept is still fresh")
	}
	s.counters[9] = 1
	s.cov.snapshot()
	if s.cov.fresh {
		t.Error("what showed only once would be found without end")
	}
}

func TestKeepRefusesWhatFailsWhenRunAgain(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		s.counters[7]++
		return s.runs > 1, "boom"
	})
	s.exec(simBytes("x"))
	if s.keep(simBytes("x")) {
		t.Error("kept")
	}
	if n := len(s.of(t, agRecordFail)); n != 1 {
		t.Errorf("%d failures told, want 1", n)
	}
}

func TestCallersAreRecordedInTimedRunsOnly(t *testing.T) {
	var watched []bool
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		watched = append(watched, s.watched)
		s.made = append(s.made, uint32(len(data)))
		return false, ""
	})
	s.exec(simBytes("1"))
	s.timed = true
	s.exec(simBytes("22"))
	s.timed = false
	s.exec(simBytes("333"))
	if want := []bool{false, true, false}; !reflect.DeepEqual(watched, want) || s.watched {
		t.Errorf("recorded in %v, want %v", watched, want)
	}
	if s.callers != "2" {
		t.Errorf("callers are %q", s.callers)
	}
}

func TestASystemCallMadeOnceIsKeptAsEvidence(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		s.counters[1]++
		if s.runs == 1 {
			s.made = append(s.made, 5)
		}
		return false, ""
	})
	s.cov.learn([]uint32{8})
	s.exec(simBytes("long enough to be trimmed"))
	if !s.keep(simBytes("long enough to be trimmed")) {
		t.Fatal("not kept")
	}
	f := s.findings(t)[0]
	call := uint32(s.cov.padded)*8 + 5
	if want := []uint32{call}; !reflect.DeepEqual(f.fresh, want) || !coreHas(f.features, call) {
		t.Errorf("fresh are %v of %v, want %v", f.fresh, f.features, want)
	}
	if string(f.input.data) != "long enough to be trimmed" {
		t.Errorf("trimmed to %q, without a way to tell what matters", f.input.data)
	}
}

func TestWhatDependsOnRunsBetweenIsKeptAsItCame(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		if len(data) == 9 && s.runs < 3 {
			s.counters[1]++
		}
		s.counters[2]++
		return false, ""
	})
	s.cov.learn([]uint32{16})
	s.exec(simBytes("nine long"))
	if !s.keep(simBytes("nine long")) {
		t.Fatal("not kept")
	}
	if f := s.findings(t)[0]; string(f.input.data) != "nine long" || !reflect.DeepEqual(f.fresh, []uint32{8}) {
		t.Errorf("kept %q for %v", f.input.data, f.fresh)
	}
}

func TestTooLongInputsAreNotRun(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) { return false, "" })
	if fresh, ok := s.run(simBytes(strings.Repeat("x", coreInputCap))); fresh || ok || s.runs != 0 {
		t.Errorf("fresh %v, ok %v, %d runs of an input that does not fit", fresh, ok, s.runs)
	}
	if _, ok := s.run(simBytes(strings.Repeat("x", coreInputCap-4))); !ok || s.runs == 0 {
		t.Error("an input that just fits was not run")
	}
}

func TestTracedRunsRecordAndOthersDoNot(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		s.counters[len(data)]++
		if agCmpOn {
			agTraceInt(8, 1, 2, 99, false)
		}
		return false, ""
	})
	if fresh, ok := s.traced(simBytes("x")); !fresh || !ok {
		t.Errorf("fresh %v, ok %v", fresh, ok)
	}
	if n := len(agCmpRecords()); n != 1 {
		t.Errorf("%d comparisons recorded, want 1: those of the run itself", n)
	}
	agCmpReset()
	s.run(simBytes("xx"))
	if n := len(agCmpRecords()); n != 0 || agCmpOn {
		t.Errorf("%d comparisons recorded without asking", n)
	}
	if *s.mem.word(agWordSolveRuns) != 2 {
		t.Errorf("%d runs counted, want 2", *s.mem.word(agWordSolveRuns))
	}
}

func TestTokensAreToldOnce(t *testing.T) {
	s := coreBytes(t, nil)
	for _, token := range []string{"GIF", "PNG", "GIF", "", strings.Repeat("x", agLongestToken+1)} {
		s.token([]byte(token))
	}
	var told []string
	for _, r := range s.of(t, agRecordToken) {
		told = append(told, r.coreText())
	}
	if want := []string{"GIF", "PNG"}; !reflect.DeepEqual(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestTypesThatNoFuzzFunctionTakesAreRefused(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a map was accepted")
		}
	}()
	agKindOf(reflect.Map)
}

// coreLogger is a target that fails on "bad" and says why in its log only; a flaky one fails once.
func coreLogger(t *testing.T, flaky bool) *coreSim {
	return coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		if string(data) != "bad" || flaky && s.keepLogs {
			return false, ""
		}
		if !s.keepLogs {
			s.agCore.dirty, s.lost = true, true
			return true, "failed\n"
		}
		return true, "why\nfailed\n"
	})
}

func TestAFailureThatLostItsLogIsRunAgain(t *testing.T) {
	s := coreLogger(t, false)
	for i := 0; i < 4; i++ {
		s.exec(simBytes("bad"))
		if !s.failed {
			t.Fatal("did not fail")
		}
	}
	told := s.of(t, agRecordFail)
	if len(told) != agFullReports || s.runs != 4+agFullReports {
		t.Fatalf("%d failures told in %d runs", len(told), s.runs)
	}
	r := told[0]
	key := r.u64()
	r.u64()
	if text := r.coreText(); text != "why\nfailed\n" || key != agFailKey("failed\n") {
		t.Errorf("told %q, key %x", text, key)
	}
	if s.loud || s.keepLogs {
		t.Error("logs are kept from then on")
	}
}

func TestAFlakyFailureThatLostItsLogIsStillToldOf(t *testing.T) {
	s := coreLogger(t, true)
	s.exec(simBytes("bad"))
	if !s.failed || !strings.HasPrefix(s.text, "failed\n") || !strings.Contains(s.text, "run again") {
		t.Errorf("failed %v, text %q", s.failed, s.text)
	}
	if n := len(s.of(t, agRecordFail)); n != 1 {
		t.Errorf("%d failures told", n)
	}
}
