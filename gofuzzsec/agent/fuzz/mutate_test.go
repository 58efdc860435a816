package fuzz

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// mutKinds has an argument of every kind.
var mutKinds = []agKind{
	{agBytes, 0}, {agString, 0}, {agBool, 1}, {agBool, 1}, {agSigned, 1}, {agSigned, 2},
	{agSigned, 4}, {agSigned, 8}, {agUnsigned, 1}, {agUnsigned, 2}, {agUnsigned, 4},
	{agUnsigned, 8}, {agFloat, 4}, {agFloat, 8},
}

// mutInput makes an input of variable arguments with these contents, scalars 0.
func mutInput(kinds []agKind, contents ...string) *agInput {
	in := &agInput{kinds: kinds}
	for _, k := range kinds {
		if k.variable() && len(contents) > 0 {
			in.data = append(in.data, contents[0]...)
			contents = contents[1:]
		}
		in.data = append(in.data, make([]byte, k.width)...)
		in.ends = append(in.ends, len(in.data))
	}
	return in
}

func mutBytes(s string) *agInput { return mutInput(mutKinds[:1], s) }

// mutCheck fails the test when in is no longer a proper input of at most maxLen bytes.
func mutCheck(t *testing.T, in *agInput, maxLen int) {
	t.Helper()
	if len(in.data) > maxLen {
		t.Fatalf("%d bytes, at most %d are allowed", len(in.data), maxLen)
	}
	if len(in.ends) != len(in.kinds) || in.ends[len(in.ends)-1] != len(in.data) {
		t.Fatalf("ends %v do not fit %d bytes of %d arguments", in.ends, len(in.data), len(in.kinds))
	}
	for i, k := range in.kinds {
		n := in.ends[i] - in.begin(i)
		if n < 0 || !k.variable() && n != int(k.width) {
			t.Fatalf("argument %d of width %d has %d bytes", i, k.width, n)
		}
		if k.class == agBool && in.arg(i)[0] > 1 {
			t.Fatalf("argument %d is a bool of value %d", i, in.arg(i)[0])
		}
	}
}

const mutSample = `{"name": "Zürich", "size": 4711, "list": [1, 2, {"x": -3.5e8}], "ok": true}` +
	"\n<a>b</a>\x00\xff\x80"

// mutEquipped returns a mutator with partners of these kinds and tokens of every source.
func mutEquipped(kinds []agKind, seed uint64) *agMutator {
	m := newAgMutator(seed)
	m.setPartners([]*agInput{
		mutInput(kinds, "[1,2,3],{\"a\":\"b\"}", "second"),
		mutInput(kinds, ""),
		mutInput(kinds, mutSample, mutSample),
	})
	m.setTokens(
		[][]byte{[]byte("user"), {0x12, 0x34, 0x56, 0x78}},
		[][]byte{[]byte("-1234"), []byte("automatic")},
	)
	m.addToken([]byte("learnt"))
	m.addToken([]byte{1, 2, 3, 4, 5, 6, 7, 0x88})
	return m
}

func TestMutationsKeepInputsProper(t *testing.T) {
	for _, maxLen := range []int{49, 60, 300, 1 << 20} {
		m := mutEquipped(mutKinds, 7)
		start := mutInput(mutKinds, mutSample, "")
		in := &agInput{}
		for k := 0; k < 20000; k++ {
			if k%10 == 0 {
				in.copyFrom(start)
			}
			m.mutate(in, maxLen)
			m.reward(k%97 == 0)
			mutCheck(t, in, maxLen)
		}
	}
}

func TestEveryOperatorKeepsInputsProper(t *testing.T) {
	contents := []string{"", "7", "()", "a", mutSample, "99999999999999999999999999", "((((((", "\xf0\x9f"}
	for op := range agOps[:agDepthArm] {
		for _, text := range contents {
			start := mutInput(mutKinds, text, text)
			for _, room := range []int{0, 1, 2, 5, 5000} {
				m := mutEquipped(mutKinds, uint64(op))
				m.maxLen = len(start.data) + room
				in := &agInput{}
				for k := 0; k < 60; k++ {
					in.copyFrom(start)
					i := k % len(mutKinds)
					if agGroupOf[in.kinds[i].class] != agOps[op].group {
						continue
					}
					changed := agOps[op].apply(m, in, i)
					mutCheck(t, in, m.maxLen)
					if same := bytes.Equal(in.data, start.data); same && changed {
						// Moving and repeating may reproduce what was there; that is rare in the sample.
						if text == mutSample && agOps[op].group != agGroupVariable {
							t.Errorf("%q says it changed argument %d and did not", agOps[op].name, i)
						}
					} else if !same && !changed {
						t.Errorf("%q says it did not change argument %d and did", agOps[op].name, i)
					}
				}
			}
		}
	}
}

func TestMutationsDiffer(t *testing.T) {
	for name, start := range map[string]*agInput{
		"text": mutBytes(mutSample), "empty": mutBytes(""), "byte": mutBytes("x"),
		"mixed": mutInput(mutKinds, mutSample, "abc"), "integer": mutInput(mutKinds[6:7]),
		"float": mutInput(mutKinds[13:]), "bool": mutInput(mutKinds[2:3]), "bools": mutInput(mutKinds[2:4]),
	} {
		m := mutEquipped(start.kinds, 3)
		in, same := &agInput{}, 0
		for k := 0; k < 5000; k++ {
			in.copyFrom(start)
			m.mutate(in, 4096)
			if bytes.Equal(in.data, start.data) {
				same++
			}
		}
		if same > 150 {
			t.Errorf("%s: %d of 5000 mutations changed nothing", name, same)
		}
	}
}

func TestNothingToMutate(t *testing.T) {
	m := newAgMutator(1)
	none := &agInput{}
	m.mutate(none, 100)
	m.reward(false)
	empty := mutBytes("")
	m.mutate(empty, 0)
	m.reward(false)
	if len(none.data) != 0 || len(empty.data) != 0 {
		t.Error("bytes appeared without room for them")
	}
}

func TestTooLongInputsAreCut(t *testing.T) {
	in := mutInput(mutKinds, mutSample, mutSample)
	agMutShrink(in, len(mutSample)+50)
	mutCheck(t, in, len(mutSample)+50)
	if string(in.arg(0)) != mutSample {
		t.Error("the first argument was cut before the last was used up")
	}
	agMutShrink(in, 0)
	mutCheck(t, in, 48) // what the scalars need
}

func TestEveryOperatorIsReached(t *testing.T) {
	m := mutEquipped(mutKinds, 11)
	start, in := mutInput(mutKinds, mutSample, mutSample), &agInput{}
	for k := 0; k < 100000; k++ {
		in.copyFrom(start)
		m.mutate(in, 4096)
		m.reward(false)
	}
	for _, s := range m.stats() {
		if s.uses < 20 {
			t.Errorf("%q was used %d times", s.name, s.uses)
		}
	}
}

func TestEveryArgumentIsReached(t *testing.T) {
	m := mutEquipped(mutKinds, 5)
	start, in := mutInput(mutKinds, "abc", "def"), &agInput{}
	changed := make([]int, len(mutKinds))
	for k := 0; k < 10000; k++ {
		in.copyFrom(start)
		m.mutate(in, 4096)
		for i := range changed {
			if !bytes.Equal(in.arg(i), start.arg(i)) {
				changed[i]++
			}
		}
	}
	for i, n := range changed {
		if n < 200 {
			t.Errorf("argument %d changed %d times", i, n)
		}
	}
	if changed[0] < changed[2] || changed[1] < changed[4] {
		t.Errorf("variable arguments are not preferred: %v", changed)
	}
}

// mutHistory runs n mutations from one start and returns all results.
func mutHistory(m *agMutator, n int) [][]byte {
	start, in := mutInput(mutKinds, mutSample, "abc"), &agInput{}
	var all [][]byte
	for k := 0; k < n; k++ {
		in.copyFrom(start)
		m.mutate(in, 2000)
		m.reward(k%31 == 0)
		all = append(all, append([]byte(nil), in.data...))
	}
	return all
}

func TestSameCallsGiveSameMutations(t *testing.T) {
	a, b := mutEquipped(mutKinds, 42), mutEquipped(mutKinds, 42)
	first, second := mutHistory(a, 6000), mutHistory(b, 6000)
	for k := range first {
		if !bytes.Equal(first[k], second[k]) {
			t.Fatalf("mutation %d differs", k)
		}
	}
	a.forget()
	a.addToken([]byte("learnt"))
	a.addToken([]byte{1, 2, 3, 4, 5, 6, 7, 0x88})
	a.reseed(42)
	for k, got := range mutHistory(a, 6000) {
		if !bytes.Equal(got, first[k]) {
			t.Fatalf("mutation %d differs after forget and reseed", k)
		}
	}
	other := mutHistory(mutEquipped(mutKinds, 43), 10)
	if bytes.Equal(other[0], first[0]) && bytes.Equal(other[1], first[1]) {
		t.Error("another seed gives the same mutations")
	}
}

func TestMutateDoesNotAllocate(t *testing.T) {
	m := mutEquipped(mutKinds, 9)
	start, in := mutInput(mutKinds, mutSample, mutSample), &agInput{}
	round := func() {
		in.copyFrom(start)
		m.mutate(in, 4096)
		m.reward(false)
	}
	in.data = make([]byte, 0, 1<<14)
	for k := 0; k < 1000; k++ {
		round()
	}
	if n := testing.AllocsPerRun(20000, round); n != 0 {
		t.Errorf("%v allocations per mutation", n)
	}
}

func TestPartnersStayAsTheyAre(t *testing.T) {
	m := mutEquipped(mutKinds, 2)
	var before []string
	for _, p := range m.partners {
		before = append(before, string(p.data))
	}
	mutHistory(m, 5000)
	for k, p := range m.partners {
		if string(p.data) != before[k] {
			t.Errorf("partner %d was changed", k)
		}
	}
}

func TestStrangePartners(t *testing.T) {
	m := newAgMutator(1)
	in := mutInput(mutKinds, mutSample, mutSample)
	m.setPartners([]*agInput{nil, in, {}, mutBytes("only one argument"), mutInput(mutKinds[6:7])})
	for k := 0; k < 5000; k++ {
		m.mutate(in, 1000)
		mutCheck(t, in, 1000)
	}
}

func TestStackDepths(t *testing.T) {
	m := newAgMutator(1)
	shallow, deepest := 0, 0
	for k := 0; k < 20000; k++ {
		d := m.depth()
		if d < 1 || d > agDepthMax {
			t.Fatalf("a stack of %d", d)
		}
		if d <= 4 {
			shallow++
		}
		if d > deepest {
			deepest = d
		}
	}
	if shallow < 14000 || deepest < 50 {
		t.Errorf("%d of 20000 stacks are up to 4 deep, the deepest is %d", shallow, deepest)
	}
}

func TestRunes(t *testing.T) {
	for _, c := range []rune{0, 'a', 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff} {
		if got := agMutEncode(nil, uint32(c), agMutRuneLen(uint32(c))); string(got) != string(c) {
			t.Errorf("%#x becomes % x, want % x", c, got, string(c))
		}
	}
	if got := agMutEncode(nil, '/', 2); string(got) != "\xc0\xaf" {
		t.Errorf("an overlong slash is % x", got)
	}
	if got := agMutEncode(nil, 0xd800, 3); string(got) != "\xed\xa0\x80" {
		t.Errorf("half a surrogate pair is % x", got)
	}
	m := newAgMutator(1)
	m.maxLen = 100
	for k := 0; k < 5000; k++ {
		in := mutBytes("")
		if m.validRune(in, 0) && !utf8.Valid(in.data) {
			t.Fatalf("% x is not valid", in.data)
		}
		in = mutBytes("")
		if m.malformedRune(in, 0) && utf8.Valid(in.data) {
			t.Fatalf("% x is valid", in.data)
		}
	}
}

// mutTarget is a small parser: it returns how far an input gets, a bit for every step.
func mutTarget(in *agInput) (steps uint64) {
	text := in.arg(0)
	depth := 0
	for depth < len(text) && text[depth] == '(' {
		depth++
	}
	if depth > 20 {
		depth = 20
	}
	steps = 1<<depth - 1
	if depth < 8 {
		return steps
	}
	at := bytes.IndexByte(text, '=')
	if at < 0 {
		return steps
	}
	steps |= 1 << 20
	value, digits := 0, 0
	for _, c := range text[at+1:] {
		if !agMutDigit(c) || digits > 9 {
			break
		}
		value = value*10 + int(c-'0')
		digits++
	}
	for k, least := range []int{1, 100, 65536, 1 << 29} {
		if value >= least {
			steps |= 1 << (21 + k)
		}
	}
	if value >= 65536 && bytes.Contains(text, []byte("learnt")) {
		steps |= 1 << 25
		if n := agMutLoad(in.arg(1)); n > 1<<40 {
			steps |= 1 << 26
			if f := agMutFloatOf(in.arg(2)); f != f && in.arg(3)[0] == 1 {
				steps |= 1 << 27
			}
		}
	}
	return steps
}

func TestFindsItsWay(t *testing.T) {
	kinds := []agKind{{agBytes, 0}, {agSigned, 8}, {agFloat, 8}, {agBool, 1}}
	for seed := uint64(1); seed <= 3; seed++ {
		m := newAgMutator(seed)
		m.addToken([]byte("learnt"))
		queue := []*agInput{mutInput(kinds, "(")}
		seen, in, runs := uint64(0), &agInput{}, 0
		for ; seen>>27 == 0 && runs < 400000; runs++ {
			in.copyFrom(queue[len(queue)-1-(runs/64)%len(queue)])
			m.mutate(in, 1000)
			steps := mutTarget(in)
			m.reward(steps&^seen != 0)
			if steps&^seen != 0 {
				seen |= steps
				kept := &agInput{}
				kept.copyFrom(in)
				queue = append(queue, kept)
				m.setPartners(queue)
			}
		}
		t.Logf("seed %d: %d executions, steps %b", seed, runs, seen)
		if seen>>27 == 0 {
			t.Errorf("seed %d: after %d executions the steps done are %b", seed, runs, seen)
		}
	}
}
