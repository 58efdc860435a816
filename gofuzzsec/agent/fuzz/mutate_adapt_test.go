package fuzz

import (
	"math"
	"testing"
)

// mutOpNumbered returns the index of the operator of this name.
func mutOpNumbered(t *testing.T, name string) int {
	t.Helper()
	for op := range agOps {
		if agOps[op].name == name {
			return op
		}
	}
	t.Fatalf("no operator %q", name)
	return 0
}

// mutShare is the part of its group's table that an operator has.
func mutShare(m *agMutator, op int) float64 {
	n := 0
	for _, slot := range m.odds.tables[agOps[op].group] {
		if int(slot) == op {
			n++
		}
	}
	return float64(n) / agOddsSlots
}

// mutLearn mutates and rewards n times, calling an execution a find when found says so.
func mutLearn(m *agMutator, n int, found func(k int, used uint64) bool) {
	start, in := mutBytes(mutSample), &agInput{}
	for k := 0; k < n; k++ {
		in.copyFrom(start)
		m.mutate(in, 4096)
		m.reward(found(k, m.used))
	}
}

func TestEveryOperatorHasAName(t *testing.T) {
	names := map[string]bool{}
	for op, o := range agOps {
		if o.name == "" || names[o.name] {
			t.Errorf("operator %d is named %q: missing or double", op, o.name)
		}
		names[o.name] = true
		if o.weight == 0 || int(o.group) >= agGroups {
			t.Errorf("%q has weight %d and group %d", o.name, o.weight, o.group)
		}
		if depth := op >= agDepthArm; depth != (o.group == agGroupDepth) || depth != (o.apply == nil) {
			t.Errorf("%q is among the wrong operators", o.name)
		}
	}
}

func TestTablesHoldTheirGroups(t *testing.T) {
	m := mutEquipped(mutKinds[:1], 1)
	for round := 0; round < 5; round++ {
		for op := range agOps {
			if mutShare(m, op) == 0 {
				t.Errorf("%q has no slot in round %d", agOps[op].name, round)
			}
		}
		for group, table := range m.odds.tables {
			for _, op := range table {
				if int(agOps[op].group) != group {
					t.Fatalf("%q is in the table of group %d", agOps[op].name, group)
				}
			}
		}
		mutLearn(m, agRenewal, func(k int, used uint64) bool { return k%100 == 0 })
	}
}

func TestRewardedOperatorIsFavoured(t *testing.T) {
	for _, name := range []string{"change case", "insert token", "stack of 9 to 16"} {
		m := mutEquipped(mutKinds[:1], 1)
		op := mutOpNumbered(t, name)
		before := mutShare(m, op)
		mutLearn(m, 60000, func(k int, used uint64) bool { return used>>op&1 == 1 && k%8 == 0 })
		if after := mutShare(m, op); after < 3*before {
			t.Errorf("the share of %q went from %.3f to %.3f", name, before, after)
		}
	}
}

func TestUselessOperatorFallsButStays(t *testing.T) {
	m := mutEquipped(mutKinds[:1], 1)
	op := mutOpNumbered(t, "remove range")
	before := mutShare(m, op)
	mutLearn(m, 60000, func(k int, used uint64) bool { return used>>op&1 == 0 && k%8 == 0 })
	if after := mutShare(m, op); after > before/2 || after == 0 {
		t.Errorf("the share of the useless operator went from %.3f to %.3f", before, after)
	}
}

func TestOldFindsFade(t *testing.T) {
	m := mutEquipped(mutKinds[:1], 1)
	op := mutOpNumbered(t, "change case")
	mutLearn(m, 60000, func(k int, used uint64) bool { return used>>op&1 == 1 && k%8 == 0 })
	high := mutShare(m, op)
	mutLearn(m, 8*agHalving, func(k int, used uint64) bool { return used>>op&1 == 0 && k%64 == 0 })
	if low := mutShare(m, op); low > high/4 {
		t.Errorf("the share fell only from %.3f to %.3f", high, low)
	}
	uses := uint64(0)
	for _, tally := range m.odds.recent {
		if tally.uses > uses {
			uses = tally.uses
		}
	}
	if uses > 2*agHalving {
		t.Errorf("a recent count has grown to %d", uses)
	}
}

func TestDeepStacksGiveNoCredit(t *testing.T) {
	m := mutEquipped(mutKinds[:1], 1)
	m.used = 1<<5 | 1<<(agDepthArm+5)
	m.deep = true
	m.reward(true)
	m.deep = false
	m.reward(true)
	stats := m.stats()
	if s := stats[5]; s.uses != 1 || s.finds != 1 {
		t.Errorf("the operator has %+v, want only the shallow execution", s)
	}
	if s := stats[agDepthArm+5]; s.uses != 2 || s.finds != 2 {
		t.Errorf("the stack's size has %+v, want both executions", s)
	}
	m.forget()
	for _, s := range m.stats() {
		if s.uses != 0 || s.finds != 0 {
			t.Errorf("%+v after forget", s)
		}
	}
}

func TestGammaHasItsMoments(t *testing.T) {
	o := &agOdds{rand: newAgRand(1)}
	for _, shape := range []float64{4, 20, 1000} {
		const n = 20000
		sum, squares := 0.0, 0.0
		for k := 0; k < n; k++ {
			x := o.gamma(shape)
			if x <= 0 {
				t.Fatalf("gamma(%v) gives %v", shape, x)
			}
			sum += x
			squares += x * x
		}
		mean := sum / n
		variance := squares/n - mean*mean
		if math.Abs(mean/shape-1) > 0.03 || math.Abs(variance/shape-1) > 0.1 {
			t.Errorf("gamma(%v) has mean %.2f and variance %.2f", shape, mean, variance)
		}
	}
	for _, x := range []float64{1, 2, 4, 1000, 1e12} {
		if got := agMutRoot(x); math.Abs(got/math.Sqrt(x)-1) > 1e-9 {
			t.Errorf("the root of %v is %v", x, got)
		}
	}
}

func BenchmarkMutate(b *testing.B) {
	text := []byte(mutSample + mutSample)[:100]
	for name, n := range map[string]int{"100": 100, "10000": 10000, "1000000": 1000000} {
		b.Run(name, func(b *testing.B) {
			var data []byte
			for len(data) < n {
				data = append(data, text...)
			}
			m := mutEquipped(mutKinds[:1], 1)
			start, in := mutBytes(string(data)), &agInput{}
			for k := 0; k < b.N; k++ {
				in.copyFrom(start)
				m.mutate(in, 1<<21)
				m.reward(false)
			}
		})
	}
}

func BenchmarkCopyOnly(b *testing.B) {
	start, in := mutBytes(mutSample), &agInput{}
	for k := 0; k < b.N; k++ {
		in.copyFrom(start)
	}
}
