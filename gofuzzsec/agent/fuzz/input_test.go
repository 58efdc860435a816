package fuzz

import (
	"bytes"
	"testing"
)

func TestSpliceAgainstNaive(t *testing.T) {
	rand := newAgRand(4)
	in := mutInput(mutKinds, "first", "second")
	for round := 0; round < 5000; round++ {
		i := rand.below(2)
		from := in.begin(i) + rand.below(in.ends[i]-in.begin(i)+1)
		to := from + rand.below(in.ends[i]-from+1)
		with := make([]byte, rand.below(12))
		for k := range with {
			with[k] = byte(rand.next())
		}
		want := append(append(append([]byte(nil), in.data[:from]...), with...), in.data[to:]...)
		rest := append([]byte(nil), in.data[in.ends[1]:]...)
		in.splice(i, from, to, with)
		if !bytes.Equal(in.data, want) {
			t.Fatalf("%q, want %q", in.data, want)
		}
		mutCheck(t, in, 1<<20)
		if !bytes.Equal(in.data[in.ends[1]:], rest) {
			t.Fatal("scalars behind the strings changed")
		}
	}
}

func TestArgumentsAreFoundByPosition(t *testing.T) {
	in := mutInput([]agKind{{agBytes, 0}, {agString, 0}, {agUnsigned, 2}}, "", "ab")
	for pos, want := range map[int]int{-1: -1, 0: 1, 1: 1, 2: 2, 3: 2, 4: -1, 99: -1} {
		if got := in.argAt(pos); got != want {
			t.Errorf("position %d is in argument %d, want %d", pos, got, want)
		}
	}
	if string(in.arg(1)) != "ab" || len(in.arg(0)) != 0 || len(in.arg(2)) != 2 {
		t.Errorf("arguments are %q %q %q", in.arg(0), in.arg(1), in.arg(2))
	}
}

func TestCopiesAreTheirOwn(t *testing.T) {
	var copied agInput
	in := mutBytes("original")
	copied.copyFrom(in)
	in.data[0] = 'X'
	in.splice(0, 0, 8, nil)
	if string(copied.data) != "original" || copied.ends[0] != 8 {
		t.Errorf("the copy is %q %v", copied.data, copied.ends)
	}
}

func TestRandomNumbersAreInRangeAndRepeat(t *testing.T) {
	a, b, other := newAgRand(7), newAgRand(7), newAgRand(8)
	var seen [10]int
	differ := false
	for i := 0; i < 10000; i++ {
		n := a.below(10)
		if n != b.below(10) {
			t.Fatal("the same seed gives other numbers")
		}
		differ = other.below(10) != n || differ
		seen[n]++
	}
	for n, times := range seen {
		if times < 800 || times > 1200 {
			t.Errorf("%d came %d times of 10000", n, times)
		}
	}
	if !differ {
		t.Error("another seed gives the same numbers")
	}
	if a.below(0) != 0 || a.below(-5) != 0 || a.below(1) != 0 {
		t.Error("numbers below nothing")
	}
	for i := 0; i < 1000; i++ {
		if n := a.below(1 << 40); n < 0 || n >= 1<<40 {
			t.Fatalf("%d is out of range", n)
		}
	}
}
