//go:build linux && (amd64 || arm64)

package syscall

import (
	"strings"
	"sync"
	"testing"
)

func TestTracing(t *testing.T) {
	fresh(t)
	pretend(300, 0, 0, 0, 0)
	GofuzzsecTrace(true)
	for i := 0; i < 3; i++ {
		pretend(300, 0, 0, 0, 0)
	}
	outer(300)
	pretend(299, 0, 0, 0, 1)
	GofuzzsecTrace(false)
	pretend(298, 0, 0, 0, 0)
	calls, complete := GofuzzsecTraced()
	if len(calls) != 3 || !complete {
		t.Fatalf("%v %v", calls, complete)
	}
	for i, want := range []GofuzzsecCall{
		{Feature: 300*32 + 1, Count: 3}, {Feature: 300*32 + 1, Count: 1}, {Feature: 299*32 + 2, Count: 1},
	} {
		if calls[i].Feature != want.Feature || calls[i].Count != want.Count {
			t.Errorf("call %d: %v, expected %v", i, calls[i], want)
		}
		text := string(GofuzzsecLines(calls[i].Stack, nil))
		if strings.Contains(text, "syscall.outer ") != (i == 1) ||
			!strings.Contains(text, "syscall.TestTracing ") {
			t.Errorf("stack of call %d:\n%s", i, text)
		}
	}
	expect(t, 298*32+1, 299*32+2, 300*32+1)
	GofuzzsecReset()
	expect(t)
	GofuzzsecTrace(true)
	if calls, _ := GofuzzsecTraced(); calls != nil {
		t.Errorf("left over: %v", calls)
	}
	for trap := uintptr(0); trap < 400; trap++ {
		pretend(trap, 0, 0, 0, 0)
	}
	GofuzzsecTrace(false)
	if calls, complete := GofuzzsecTraced(); len(calls) != gofuzzsecTraceLimit || complete {
		t.Errorf("%d calls, complete %v", len(calls), complete)
	}
}

func TestTracedValues(t *testing.T) {
	const prctl = 157
	if gofuzzsecDeciding[prctl] == 0 {
		t.Skip("prctl has another number here")
	}
	fresh(t)
	GofuzzsecTrace(true)
	for _, option := range []uintptr{15, 15, 38, 1<<40 | 15} {
		pretend(prctl, option, 0, 0, 0)
	}
	pretend(298, 15, 0, 0, 0)
	GofuzzsecTrace(false)
	calls, _ := GofuzzsecTraced()
	for i, want := range []GofuzzsecCall{
		{Count: 3, Values: 15, Told: true}, {Count: 1, Values: 38, Told: true}, {Count: 1},
	} {
		if got := calls[i]; got.Count != want.Count || got.Values != want.Values || got.Told != want.Told {
			t.Errorf("call %d: %v, expected %v", i, got, want)
		}
	}
	GofuzzsecReset()
	GofuzzsecTrace(true)
	for option := uintptr(0); option < 1000; option++ {
		pretend(prctl, option, 0, 0, 0)
	}
	pretend(298, 0, 0, 0, 0)
	GofuzzsecTrace(false)
	calls, complete := GofuzzsecTraced()
	if len(calls) != gofuzzsecValueLimit+2 || !complete {
		t.Fatalf("%d calls, complete %v", len(calls), complete)
	}
	if rest := calls[gofuzzsecValueLimit]; rest.Told || rest.Count != 1000-gofuzzsecValueLimit {
		t.Errorf("the values that are not told: %v", rest)
	}
}

func TestConcurrentTracing(t *testing.T) {
	fresh(t)
	GofuzzsecTrace(true)
	var all sync.WaitGroup
	for worker := 0; worker < 4; worker++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < 1000; i++ {
				pretend(300, 0, 0, 0, 0)
			}
		}()
	}
	all.Wait()
	GofuzzsecTrace(false)
	total := uint32(0)
	calls, _ := GofuzzsecTraced()
	for _, call := range calls {
		total += call.Count
	}
	if total != 4000 || len(calls) > 4 {
		t.Errorf("%d calls in %d places", total, len(calls))
	}
}
