package fuzz

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// coreBatch is the body of a batch request.
func coreBatch(flags uint64, known []byte, inputs ...*agInput) []byte {
	b := put64(put64(nil, uint64(len(inputs))), flags)
	b = append(put64(b, uint64(len(known))), known...)
	for _, in := range inputs {
		wire := make([]byte, agWireLen(in))
		agWireEncode(wire, in)
		b = append(put32(b, uint32(len(wire))), wire...)
	}
	return b
}

type coreResult struct {
	failed   bool
	features []uint32
	text     string
	callers  string
}

func (s *coreSim) results(t *testing.T) (results []coreResult) {
	t.Helper()
	for _, r := range s.of(t, agRecordResult) {
		one := coreResult{failed: r.u32() != 0}
		r.u64() // nanoseconds
		one.features, one.text, one.callers = r.coreList(), r.coreText(), r.coreText()
		if r.bad || len(r.b) != 0 {
			t.Fatal("a result has other fields than expected")
		}
		results = append(results, one)
	}
	return results
}

// lengthy covers the counter of the input's length, and makes the system call of that number.
func lengthy(s *coreSim, data []byte) (bool, string) {
	s.counters[len(data)]++
	if s.runs == 1 {
		s.counters[100]++
	}
	s.made = append(s.made, uint32(len(data)))
	return len(data) == 3, "x_test.go:1: three"
}

func TestABatchTellsOfEveryInput(t *testing.T) {
	s := coreBytes(t, lengthy)
	inputs := []*agInput{simBytes("1"), simBytes("333"), simBytes(""), simBytes("1")}
	call := uint32(s.cov.padded) * 8
	for _, twice := range []bool{false, true} {
		s.runs = 0
		if !s.ask(agRequestBatch, coreBatch(uint64(agBit(twice)), nil, inputs...)) {
			t.Fatal("refused")
		}
		want := []coreResult{
			{features: []uint32{8, call + 1}, callers: "1"},
			{failed: true, features: []uint32{24, call + 3}, text: "x_test.go:1: three", callers: "3"},
			{features: []uint32{0, call}, callers: "0"},
			{features: []uint32{8, call + 1}, callers: "1"},
		}
		if !twice {
			want[0].features = []uint32{8, 800, call + 1} // with what only a first run covers
		}
		if got := s.results(t); !reflect.DeepEqual(got, want) {
			t.Errorf("twice %v: results %+v, want %+v", twice, got, want)
		}
		if n := len(s.records(t)); n != len(inputs) {
			t.Errorf("%d records for %d inputs", n, len(inputs))
		}
		if runs := 4 + 3*int(agBit(twice)); s.runs != runs || *s.mem.word(agWordCount) != uint64(runs) {
			t.Errorf("%d executions, want %d", s.runs, runs)
		}
	}
	if len(s.fails.seen) != 0 {
		t.Error("failures of a batch count as those of plans")
	}
}

func TestABatchThatFillsItsAreaGoesOn(t *testing.T) {
	s := newCoreSim(t, 100, []reflect.Kind{reflect.Slice}, func(s *coreSim, values []any) (bool, string) {
		return lengthy(s, values[0].([]byte))
	})
	left := []*agInput{simBytes(""), simBytes("1"), simBytes("22"), simBytes("4444"), simBytes("55555")}
	var callers string
	for asked := 0; len(left) > 0; asked++ {
		if asked > 5 {
			t.Fatal("no end")
		}
		s.ask(agRequestBatch, coreBatch(0, nil, left...))
		done := s.results(t)
		if full := s.end() == agEndFull; full != (len(done) < len(left)) {
			t.Errorf("%d of %d results, end %d", len(done), len(left), s.end())
		}
		for _, one := range done {
			callers += one.callers
		}
		left = left[len(done):]
	}
	if callers != "01245" {
		t.Errorf("told where the calls %q were made: some are lost with a result that did not fit", callers)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		return true, strings.Repeat("x", agMostText+99)
	})
	s.ask(agRequestBatch, coreBatch(0, nil, simBytes("x")))
	if got := s.results(t); len(got) != 1 || len(got[0].text) != agMostText {
		t.Errorf("%d results", len(got))
	}
}

func TestBatchesThatMakeNoSense(t *testing.T) {
	s := coreBytes(t, lengthy)
	good := coreBatch(0, nil, simBytes("x"))
	for n := 0; n < len(good); n++ {
		if s.ask(agRequestBatch, good[:n]) {
			t.Errorf("%d of %d bytes are accepted", n, len(good))
		}
	}
	if s.ask(agRequestBatch, coreBatch(0, make([]byte, 3), simBytes("x"))) && len(s.results(t)) > 0 {
		t.Error("a map of another size is accepted")
	}
	if !s.ask(agRequestBatch, coreBatch(0, nil)) || s.runs != 0 {
		t.Errorf("an empty batch made %d executions", s.runs)
	}
}

func TestTheLoopRunsTheSameInputsBothWays(t *testing.T) {
	var engine, plain []string
	looping := false
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		if looping {
			plain = append(plain, string(data))
		} else {
			engine = append(engine, string(data))
		}
		s.counters[len(data)]++
		return false, ""
	})
	bare := s.host.loop
	s.host.loop = func(inputs [][]any) {
		looping = true
		bare(inputs)
		looping = false
	}
	p := corePlan{seed: 3, limit: 50, maxLen: 64, items: []coreItem{{id: 1, input: simBytes("ab")}, {id: 2, input: simBytes("xyz")}}}
	if !s.ask(agRequestLoop, p.body()) {
		t.Fatal("refused")
	}
	if len(plain) != 5*50 || len(engine) != 6*50 {
		t.Errorf("%d plain and %d engine executions", len(plain), len(engine))
	}
	if !reflect.DeepEqual(plain[:50], engine[:50]) || !reflect.DeepEqual(plain[:50], plain[200:]) {
		t.Error("not the same inputs")
	}
	r := s.of(t, agRecordResult)
	if len(r) != 1 || len(r[0].b) != 80 {
		t.Errorf("%d results", len(r))
	}
	p.limit = 0
	if s.ask(agRequestLoop, p.body()) {
		t.Error("a loop without an end is accepted")
	}
}

func TestABatchOfTriesTellsWhatIsNew(t *testing.T) {
	s := coreBytes(t, lengthy)
	s.runs = 1
	known := make([]byte, len(s.cov.known))
	known[1] = 0xff                                         // the counter of length 1
	known[s.cov.padded], known[s.cov.padded+1] = 0xff, 0xff // and the calls
	inputs := []*agInput{simBytes("1"), simBytes("22"), simBytes("333")}
	if !s.ask(agRequestBatch, coreBatch(agBatchNew, known, inputs...)) {
		t.Fatal("refused")
	}
	got := s.results(t)
	if len(got) != 3 || len(got[0].features) != 0 || got[0].callers != "" || got[0].failed {
		t.Fatalf("nothing new: %+v", got)
	}
	if len(got[1].features) == 0 || got[1].features[0] != 16 || got[1].callers != "" {
		t.Errorf("new: %+v", got[1])
	}
	if !got[2].failed || got[2].text == "" {
		t.Errorf("failed: %+v", got[2])
	}
}

func TestASlowBatchEndsInTime(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		time.Sleep(agBatchSlow + 10*time.Millisecond)
		return false, ""
	})
	inputs := make([]*agInput, 20)
	for i := range inputs {
		inputs[i] = simBytes("x")
	}
	if !s.ask(agRequestBatch, coreBatch(agBatchTwice, nil, inputs...)) {
		t.Fatal("refused")
	}
	done := len(s.results(t))
	if s.end() != agEndTime || done == 0 || done > 4 {
		t.Errorf("%d results, end %d", done, s.end())
	}
	if s.runs != done {
		t.Errorf("%d executions for %d slow inputs", s.runs, done)
	}
}
