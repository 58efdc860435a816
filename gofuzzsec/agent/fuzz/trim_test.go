package fuzz

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// trimFor runs in once, trims it to what covers the same, and returns it.
func trimFor(s *coreSim, in *agInput) *agInput {
	s.exec(in)
	s.trim(in, s.cov.features(nil))
	return in
}

func trimKey(s *coreSim, data []byte) (bool, string) {
	if bytes.Contains(data, []byte("KEY")) {
		s.counters[5]++
	}
	return false, ""
}

func TestTrimLeavesWhatMatters(t *testing.T) {
	for _, padding := range []int{0, 1, 5, 40, 100} {
		s := coreBytes(t, trimKey)
		noise := strings.Repeat("-", padding)
		in := trimFor(s, simBytes(noise+"KEY"+noise))
		if string(in.data) != "KEY" || in.ends[0] != 3 {
			t.Errorf("%d bytes on both sides: left are %q", padding, in.data)
		}
	}
}

func TestTrimOfALongInputIsBounded(t *testing.T) {
	s := coreBytes(t, trimKey)
	noise := strings.Repeat("-", 20000)
	in := trimFor(s, simBytes(noise+"KEY"+noise))
	if s.runs > agTrimPerFind+1 {
		t.Errorf("%d executions", s.runs)
	}
	if !bytes.Contains(in.data, []byte("KEY")) || len(in.data) > 4000 {
		t.Errorf("%d bytes are left of 40003", len(in.data))
	}
	if got := int(*s.mem.word(agWordTrimRuns)); got != s.runs-1 {
		t.Errorf("%d executions are counted, %d were made", got, s.runs-1)
	}
}

func TestTrimKeepsOtherArguments(t *testing.T) {
	types := []reflect.Kind{reflect.String, reflect.Uint16, reflect.Slice}
	s := newCoreSim(t, 1<<20, types, func(s *coreSim, values []any) (bool, string) {
		if values[1].(uint16) == 0x1234 {
			s.counters[1]++
		}
		if bytes.HasPrefix(values[2].([]byte), []byte("ab")) {
			s.counters[2]++
		}
		return false, ""
	})
	in := mutInput(s.kinds, "useless", "abuseless")
	agPut32(in.data[7:], 0x1234|uint32(in.data[9])<<16|uint32(in.data[10])<<24)
	trimFor(s, in)
	mutCheck(t, in, 100)
	if string(in.data) != "\x34\x12ab" {
		t.Errorf("left are %q", in.data)
	}
}

func TestTrimDoesNotTradeCoverageForFailure(t *testing.T) {
	s := coreBytes(t, func(s *coreSim, data []byte) (bool, string) {
		s.counters[5]++
		return len(data) < 10, "too short"
	})
	if in := trimFor(s, simBytes(strings.Repeat("x", 64))); len(in.data) < 10 {
		t.Errorf("%q fails", in.data)
	}
}

func TestTrimEndsWithTheBudget(t *testing.T) {
	s := coreBytes(t, trimKey)
	s.budget = newAgBudget(5, 0, 0)
	trimFor(s, simBytes(strings.Repeat("KEY-", 200)))
	if s.runs != 5 {
		t.Errorf("%d executions, 5 are allowed", s.runs)
	}
}

func TestTrimTakesItsShareOnly(t *testing.T) {
	s := coreBytes(t, trimKey)
	*s.mem.word(agWordTrimRuns) = agTrimStart
	trimFor(s, simBytes("xxKEY"))
	if s.runs != 1 {
		t.Errorf("%d executions after the share was used up", s.runs-1)
	}
}
