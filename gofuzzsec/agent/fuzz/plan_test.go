package fuzz

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// nested covers one more counter for each byte of "FUZZ" that data begins with, fails behind "FUZZ!".
func nested(s *coreSim, data []byte) (bool, string) {
	s.counters[0]++
	for i, want := range []byte("FUZZ!") {
		if len(data) <= i || data[i] != want {
			return false, ""
		}
		s.counters[10*(i+1)]++
	}
	return true, "x_test.go:5: bang"
}

// constant compares the first bytes as compiled code does.
func constant(s *coreSim, data []byte) (bool, string) {
	s.counters[0]++
	if len(data) < 8 {
		return false, ""
	}
	s.counters[1]++
	word := string(data[:8])
	if agCmpOn {
		agTraceStr(word, "MAGICNUM", 77, false)
	}
	if word == "MAGICNUM" {
		s.counters[2]++
	}
	return false, ""
}

func TestPlansFindTheirWay(t *testing.T) {
	s := coreBytes(t, nested)
	items := []coreItem{{id: 1, energy: 4000, input: simBytes("x")}}
	depth, failures := 0, 0
	for seed := uint64(1); seed < 30 && failures == 0; seed++ {
		s.runs = 0
		s.plan(t, corePlan{seed: seed, items: items})
		if s.end() != agEndDone {
			t.Fatalf("the plan ended for reason %d", s.end())
		}
		checkRuns(t, s)
		for i, f := range s.findings(t) {
			checkFind(t, f, i, items)
			depth++
			input := new(agInput)
			input.copyFrom(&f.input)
			items = append(items, coreItem{id: uint64(len(items) + 1), energy: 4000, input: input})
		}
		for _, r := range s.of(t, agRecordFail) {
			checkFailure(t, s, r)
			failures++
		}
	}
	if depth != 5 || failures == 0 {
		t.Errorf("%d finds, want 5; %d failures", depth, failures)
	}
}

// checkFind looks at find number i of a plan with these items of the target nested.
func checkFind(t *testing.T, f coreFind, i int, items []coreItem) {
	t.Helper()
	if f.number != uint64(i) {
		t.Errorf("find %d has number %d", i, f.number)
	}
	number := f.parent &^ (1 << 63)
	local := f.parent>>63 == 1
	if local && number >= uint64(i) || !local && (number == 0 || number > uint64(len(items))) {
		t.Errorf("find %d descends from %#x", i, f.parent)
	}
	for _, feature := range f.fresh {
		if !coreHas(f.features, feature) {
			t.Errorf("find %d brought %d but covers %v", i, feature, f.features)
		}
	}
	if !strings.HasPrefix("FUZZ", string(f.input.data)) {
		t.Errorf("find %d is %q, not the least that covers the same", i, f.input.data)
	}
}

func checkFailure(t *testing.T, s *coreSim, r coreRecord) {
	t.Helper()
	r.u64() // key
	parent, text := r.u64(), r.coreText()
	in := agInput{kinds: s.kinds}
	if !agWireDecode([]byte(r.coreText()), &in) || !bytes.HasPrefix(in.data, []byte("FUZZ!")) {
		t.Errorf("%q failed", in.data)
	}
	if !strings.Contains(text, "bang") || parent == 0 {
		t.Errorf("told %q of a descendant of %d", text, parent)
	}
}

// checkRuns compares what the header counts with what was run.
func checkRuns(t *testing.T, s *coreSim) {
	t.Helper()
	sum := uint64(0)
	for _, word := range []int{agWordHavocRuns, agWordSolveRuns, agWordTrimRuns, agWordConfirmRuns} {
		sum += *s.mem.word(word)
	}
	// A find that does not hold in its last run is run once more, without a count of its kind.
	if runs := uint64(s.runs); *s.mem.word(agWordCount) != runs || sum > runs || sum+10 < runs {
		t.Errorf("%d runs: %d are counted, %d by kind", runs, *s.mem.word(agWordCount), sum)
	}
}

func TestFailuresMetAgainAreCounted(t *testing.T) {
	s := coreBytes(t, nested)
	p := corePlan{items: []coreItem{{id: 1, energy: 2000, input: simBytes("FUZZ!")}}}
	total := uint64(0)
	var keys []uint64
	for p.seed = 1; p.seed < 4; p.seed++ {
		failed := 0
		s.target = func(s *coreSim, values []any) (bool, string) {
			bad, text := nested(s, values[0].([]byte))
			failed += int(agBit(bad))
			return bad, text
		}
		s.plan(t, p)
		told := uint64(len(s.of(t, agRecordFail)))
		if want := uint64(agFullReports) * agBit64(p.seed == 1); told != want {
			t.Errorf("plan %d told %d failures in full, want %d", p.seed, told, want)
		}
		for _, r := range s.of(t, agRecordAgain) {
			keys = append(keys, r.u64())
			told += r.u64()
		}
		if told != uint64(failed) || failed == 0 {
			t.Errorf("plan %d: %d failures, %d told", p.seed, failed, told)
		}
		total += told
	}
	if len(keys) != 3 || keys[0] != keys[1] || keys[0] == 0 {
		t.Errorf("sights are of the failures %v", keys)
	}
}

func agBit64(b bool) uint64 { return uint64(agBit(b)) }

func TestEnergyIsSpentOnEveryItem(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) { return false, "" })
	p := corePlan{items: []coreItem{
		{id: 5, energy: 100, input: simBytes("a")},
		{id: 6, energy: 0, input: simBytes("b")},
		{id: 7, energy: 777, input: simBytes("c")},
	}}
	s.plan(t, p)
	var got [][2]uint64
	for _, r := range s.of(t, agRecordItem) {
		got = append(got, [2]uint64{r.u64(), r.u64()})
		if finds, solved := r.u32(), r.u32(); finds != 0 || solved != 0 {
			t.Errorf("%d finds, solved %d", finds, solved)
		}
	}
	if want := [][2]uint64{{5, 100}, {6, 0}, {7, 777}}; !reflect.DeepEqual(got, want) {
		t.Errorf("items took %v, want %v", got, want)
	}
}

func TestAPlanKeepsToItsLimit(t *testing.T) {
	for _, limit := range []uint64{1, 2, 500} {
		s := coreBytes(t, nested)
		s.plan(t, corePlan{limit: limit, items: []coreItem{{id: 1, energy: 1 << 20, input: simBytes("x")}}})
		if s.end() != agEndLimit {
			t.Errorf("the plan ended for reason %d", s.end())
		}
		// A find under way when the limit is reached is still confirmed.
		if runs := uint64(s.runs); runs < limit || runs > limit+4 {
			t.Errorf("%d executions, %d are allowed", runs, limit)
		}
	}
}

func TestAPlanKeepsToItsTime(t *testing.T) {
	s := coreBytes(t, nested)
	s.plan(t, corePlan{nanoseconds: 5e6, items: []coreItem{{id: 1, energy: 1 << 31, input: simBytes("x")}}})
	if s.end() != agEndTime || s.runs < 10 {
		t.Errorf("the plan ended for reason %d after %d executions", s.end(), s.runs)
	}
}

func TestAPlanStopsWhenTold(t *testing.T) {
	s := coreBytes(t, nested)
	s.target = func(s *coreSim, values []any) (bool, string) {
		if s.runs == 50 {
			*s.mem.word(agWordStop) = 1
		}
		return nested(s, values[0].([]byte))
	}
	s.plan(t, corePlan{items: []coreItem{
		{id: 1, energy: 1 << 31, input: simBytes("x")},
		{id: 2, energy: 1 << 31, input: simBytes("x")},
	}})
	if s.end() != agEndStop || s.runs > 60 {
		t.Errorf("the plan ended for reason %d after %d executions", s.end(), s.runs)
	}
	if n := len(s.of(t, agRecordItem)); n != 1 {
		t.Errorf("%d items are told of, only one was begun", n)
	}
}

func TestAFullAreaEndsThePlanAndLosesNothing(t *testing.T) {
	wide := func(s *coreSim, values []any) (bool, string) {
		for _, b := range values[0].([]byte) {
			s.counters[b]++
		}
		return false, ""
	}
	item := coreItem{id: 1, energy: 20000, input: simBytes("some bytes")}
	s := newCoreSim(t, 1000, []reflect.Kind{reflect.Slice}, wide)
	told := map[uint32]bool{}
	plans := 0
	for s.end() == agEndFull || plans == 0 {
		if plans++; plans > 300 {
			t.Fatal("no end")
		}
		s.plan(t, corePlan{seed: uint64(plans), maxLen: 40, items: []coreItem{item}})
		for _, f := range s.findings(t) {
			for _, feature := range f.features {
				told[feature] = true
			}
		}
	}
	if plans < 3 {
		t.Errorf("the area was full %d times", plans-1)
	}
	for i, known := range s.cov.known {
		for bit := 0; bit < 8; bit++ {
			if known>>uint(bit)&1 != 0 && !told[uint32(8*i+bit)] {
				t.Fatalf("feature %d is known but was never told", 8*i+bit)
			}
		}
	}
}

func TestWhatIsKnownIsNotFound(t *testing.T) {
	s := coreBytes(t, nested)
	known := make([]byte, len(s.cov.known))
	for i := range known {
		known[i] = 0xff
	}
	p := corePlan{known: known, items: []coreItem{{id: 1, energy: 5000, input: simBytes("FUZ")}}}
	s.plan(t, p)
	if n := len(s.findings(t)); n != 0 {
		t.Errorf("%d finds though everything is known", n)
	}
	p.known = known[:5]
	if s.ask(agRequestPlan, p.body()) {
		t.Error("a map of another size is accepted")
	}
}

func TestComparisonsAreSolvedWhenAsked(t *testing.T) {
	p := corePlan{solveBudget: 2000, items: []coreItem{{id: 3, energy: 10, solve: true, input: simBytes("12345678")}}}
	for _, flags := range []uint64{0, agPlanSolve} {
		s := coreBytes(t, constant)
		p.flags = flags
		s.plan(t, p)
		reached := false
		for _, f := range s.findings(t) {
			reached = reached || coreHas(f.features, 16)
		}
		if reached != (flags != 0) {
			t.Errorf("with flags %d the magic number was found: %v", flags, reached)
		}
		items := s.of(t, agRecordItem)
		items[0].u64()
		items[0].u64()
		items[0].u32()
		if items[0].u32() != uint32(flags) {
			t.Errorf("with flags %d the item counts as solved otherwise", flags)
		}
		if flags == 0 {
			continue
		}
		if len(s.of(t, agRecordSolved)) == 0 {
			t.Error("no find had its comparisons solved")
		}
		var tokens []string
		for _, r := range s.of(t, agRecordToken) {
			tokens = append(tokens, r.coreText())
		}
		if !reflect.DeepEqual(tokens, []string{"MAGICNUM"}) {
			t.Errorf("tokens are %q", tokens)
		}
	}
}

func TestADictionaryIsUsed(t *testing.T) {
	tokens := append(put32(nil, 8), "MAGICNUM"...)
	tokens = append(put32(tokens, 4|1<<31), "auto"...)
	s := coreBytes(t, constant)
	p := corePlan{seed: 1, tokens: tokens, items: []coreItem{{id: 1, energy: 20000, input: simBytes("12345678")}}}
	s.plan(t, p)
	reached := false
	for _, f := range s.findings(t) {
		reached = reached || coreHas(f.features, 16)
	}
	if !reached {
		t.Error("a word of the dictionary was not found")
	}
	p.tokens = append(put32(nil, 100), "short"...)
	if s.ask(agRequestPlan, p.body()) {
		t.Error("half a dictionary is accepted")
	}
}

// withoutTimes zeroes what no two runs have in common.
func withoutTimes(s *coreSim) []byte {
	b := append([]byte(nil), s.mem.results[:*s.mem.word(agWordResultsLen)]...)
	for at := 0; at < len(b); at += int(agGet32(b[at+4:])) {
		if agGet32(b[at:]) == agRecordFind {
			agPut64(b[at+20:], 0)
		}
	}
	return b
}

func TestTheSamePlanDoesTheSame(t *testing.T) {
	run := func(seed uint64) []byte {
		s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
			constant(s, data)
			for _, b := range data {
				s.counters[60+int(b)]++
			}
			return len(data) > 3 && data[3] == '%', "x_test.go:5: percent"
		})
		var all []byte
		for i := uint64(0); i < 3; i++ {
			s.plan(t, corePlan{
				seed: seed + i, flags: agPlanSolve, solveBudget: 500, limit: 5000,
				items: []coreItem{
					{id: 1, energy: 1000, solve: true, input: simBytes("some bytes")},
					{id: 2, energy: 1000, input: simBytes("%%%%%")},
				},
			})
			all = append(all, withoutTimes(s)...)
		}
		return all
	}
	first := run(1)
	if !bytes.Equal(first, run(1)) {
		t.Error("the same plans on a fresh core gave other records")
	}
	if bytes.Equal(first, run(100)) {
		t.Error("another seed gave the same records")
	}
}

// summed compares the first four bytes with the sum of the others, as a checksum is, and looks
// into those behind that.
func summed(s *coreSim, data []byte) (bool, string) {
	s.counters[0]++
	if len(data) < 8 {
		return false, ""
	}
	s.counters[1]++
	sum, field := sumOf(data[4:])*2654435761, agGet32(data)
	if agCmpOn {
		agTraceInt(4, uint64(sum), uint64(field), 501, false)
	}
	if sum != field {
		return false, ""
	}
	s.counters[2]++
	s.counters[64+int(data[4])%64]++
	return false, ""
}

func TestMutationsBehindAChecksumAreRepaired(t *testing.T) {
	s := coreBytes(t, summed)
	p := corePlan{flags: agPlanSolve, solveBudget: 4000, items: []coreItem{
		{id: 1, energy: 20000, solve: true, input: simBytes("....some bytes")},
	}}
	behind := map[uint32]bool{}
	for p.seed = 1; p.seed < 4; p.seed++ {
		s.plan(t, p)
		for _, f := range s.findings(t) {
			for _, feature := range f.features {
				if feature >= 64*8 {
					behind[feature/8] = true
				}
			}
		}
	}
	if !s.solver.hasChecksums() {
		t.Fatal("the checksum was not learnt")
	}
	if len(behind) < 30 {
		t.Errorf("%d of 64 branches behind the checksum are reached", len(behind))
	}
}
