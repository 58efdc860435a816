package fuzz

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// mutResults applies one operator, found by its name, many times to the same argument and returns the
// distinct outcomes.
func mutResults(t *testing.T, name string, start *agInput, i int) map[string]int {
	t.Helper()
	for op := range agOps {
		if agOps[op].name != name {
			continue
		}
		m := mutEquipped(start.kinds, 1)
		m.maxLen = 1 << 16
		all := map[string]int{}
		in := &agInput{}
		for k := 0; k < 20000; k++ {
			in.copyFrom(start)
			if agOps[op].apply(m, in, i) {
				all[string(in.arg(i))]++
			}
		}
		return all
	}
	t.Fatalf("no operator %q", name)
	return nil
}

func TestOperatorsReachWhatTheyAreFor(t *testing.T) {
	for _, c := range []struct {
		op, from string
		want     []string
	}{
		{"flip bit", "a", []string{"c", "A", "\xe1"}},
		{"random byte", "a", []string{"b", "\x00", "\xff"}},
		{"add to byte", "a", []string{"b", "`"}},
		{"add to 16 bits", "\x00\xff", []string{"\x01\x00", "\x01\xff"}},
		{"add to 32 bits", "\xff\xff\xff\xff", []string{"\x00\x00\x00\x00"}},
		{"add to 64 bits", "\x00\x00\x00\x00\x00\x00\x00\x00", []string{"\x00\x00\x00\x00\x00\x00\x00\x01"}},
		{"interesting byte", "a", []string{"\x00", "\xff", "\x80", "\x7f", "\x10"}},
		{"interesting 16 bits", "aa", []string{"\xff\x7f", "\x00\x10", "\xe8\x03"}},
		{"interesting 32 bits", "aaaa", []string{"\x80\x00\x00\x00", "\xff\xff\x00\x00"}},
		{"interesting 64 bits", "aaaaaaaa", []string{"\x00\x00\x00\x00\x00\x00\x00\x80"}},
		{"swap bytes", "ab", []string{"ba"}},
		{"swap ranges", "abcd", []string{"cdab", "bacd"}},
		{"overwrite with one byte", "abc", []string{"\x00\x00\x00", "a\xff\xff", "a c"}},
		{"copy range over another", "abcd", []string{"abab", "cdcd"}},
		{"copy range elsewhere", "abcd", []string{"abcdab", "cdabcd", "abcabcd", "abbcd"}},
		{"repeat block", "ab", []string{"abab", "abababab", "aab"}},
		{"remove range", "abc", []string{"ac", "c", ""}},
		{"truncate", "abcd", []string{"abc", "a", ""}},
		{"append", "ab", []string{"abb", "ab\x00"}},
		{"insert one byte repeated", "ab", []string{"a\x00b", "\xff\xffab"}},
		{"insert from partner", "ab", []string{"a[1b", "1ab"}},
		{"overwrite from partner", "abcdef", []string{"[1cdef", "ab[def"}},
		{"cross with partner", "[1,", []string{"[1,2,3],{\"a\":\"b\"}", "[:\"b\"}"}},
		{"word from partner", "who x", []string{"who,2 x", "2 x", "who x[1", "who a", "[1,2,3],{\"a\":\"b\"}"}},
		{"piece from partner", "([x])", []string{"([1,2,3])"}},
		{"remove piece", "a,b,c", []string{"a,c"}},
		{"remove piece", "[(x)]", []string{"[]", ""}},
		{"repeat piece", "[(x)]", []string{"[(x)(x)]", "[(x)][(x)]"}},
		{"wrap piece", "[x]", []string{"[[x]]", "[[[x]]]"}},
		{"insert token", "ab", []string{"auserb", "ablearnt", "automaticab"}},
		{"overwrite with token", "abcdefgh", []string{"user", "userefgh", "learntgh"}},
		{"overwrite with token", "a = bcd;", []string{"a = user;", "learnt = bcd;"}},
		{"change number", "v12;", []string{"v13;", "v11;", "v-12;", "v12e9;", "v255;", "v02;", "v0;", "v0x12;"}},
		{"change number", "00000012", []string{"00000013", "00000024", "13"}},
		{"insert number", "", []string{"65536", "1000", "-1", "127"}},
		{"valid rune", "", []string{"\u212a", "\ufeff"}},
		{"malformed rune", "", []string{"\xff", "\xfe", "\xc0"}},
		{"change case", "ab-c", []string{"Ab-c", "AB-c", "ab-C"}},
	} {
		got := mutResults(t, c.op, mutBytes(c.from), 0)
		for _, want := range c.want {
			if got[want] == 0 {
				t.Errorf("%q never turns %q into %q", c.op, c.from, want)
			}
		}
	}
}

func TestScalarOperators(t *testing.T) {
	le := func(v uint64, width int) string {
		b := make([]byte, width)
		agMutStore(b, v)
		return string(b)
	}
	for _, c := range []struct {
		op   string
		kind int // of mutKinds
		from uint64
		want []uint64
	}{
		{"integer: add", 7, 5, []uint64{6, 4, 5 + 1<<40}},
		{"integer: add", 4, 127, []uint64{128}},
		{"integer: flip bits", 10, 0, []uint64{1 << 31, 3}},
		{"integer: interesting", 7, 5, []uint64{1 << 63, 1<<63 - 1, 1 << 32, 1000, 0}},
		{"integer: negate", 5, 2, []uint64{0xfffe, 0xfffd}},
		{"integer: scale", 5, 0x102, []uint64{0x201, 0x204, 0x81}},
		{"integer: scale", 5, 0xfffc, []uint64{0xfffe, 16}}, // -4
		{"integer: small", 9, 5, []uint64{0, 255, 0xffff}},
		{"integer: token", 10, 5, []uint64{0x78563412, 0xfffffb2e}}, // and -1234
		{"float: step", 13, math.Float64bits(1), []uint64{math.Float64bits(math.Nextafter(1, 2))}},
		{"float: add", 13, math.Float64bits(1), []uint64{math.Float64bits(2), math.Float64bits(1.5)}},
		{"float: interesting", 13, 0, []uint64{1 << 63, 0x7ff << 52, 0xfff << 52, math.Float64bits(5e-324)}},
		{"float: interesting", 12, 0, []uint64{1 << 31, 0x7f8 << 20, 1, 0x7f7fffff}},
		{"float: scale", 13, math.Float64bits(3), []uint64{math.Float64bits(-3), math.Float64bits(6)}},
		{"float: integer", 13, 0, []uint64{math.Float64bits(-1), math.Float64bits(1 << 33)}},
		{"float: round", 13, math.Float64bits(2.25), []uint64{math.Float64bits(2), math.Float64bits(2.5)}},
		{"float: token", 12, 0, []uint64{0x78563412, uint64(math.Float32bits(-1234))}},
	} {
		kinds := mutKinds[c.kind : c.kind+1]
		width := int(kinds[0].width)
		start := mutInput(kinds)
		agMutStore(start.data, c.from)
		got := mutResults(t, c.op, start, 0)
		for _, want := range c.want {
			if got[le(want, width)] == 0 {
				t.Errorf("%q never turns %#x into %#x in %d bytes", c.op, c.from, want, width)
			}
		}
	}
}

func TestFloatClasses(t *testing.T) {
	for _, kind := range []int{12, 13} {
		start := mutInput(mutKinds[kind : kind+1])
		quiet, signalling := 0, 0
		for bits := range mutResults(t, "float: NaN", start, 0) {
			if v := agMutFloatOf([]byte(bits)); v == v {
				t.Errorf("% x is %v, not a NaN", bits, v)
			}
			if agMutLoad([]byte(bits))>>(agMutMantissa(len(bits))-1)&1 == 1 {
				quiet++
			} else {
				signalling++
			}
		}
		if quiet < 1000 || signalling < 1000 {
			t.Errorf("%d quiet and %d signalling NaNs", quiet, signalling)
		}
		for bits := range mutResults(t, "float: subnormal", start, 0) {
			v := agMutLoad([]byte(bits))
			if v<<1>>1>>agMutMantissa(len(bits))&(1<<8-1) != 0 {
				t.Errorf("% x is not subnormal", bits)
			}
		}
	}
}

func TestBorrowedScalars(t *testing.T) {
	kinds := []agKind{{agSigned, 4}, {agUnsigned, 4}}
	start := mutInput(kinds)
	agMutStore(start.arg(1), 0xdeadbeef)
	partner := mutInput(kinds)
	agMutStore(partner.arg(0), 77)
	m := newAgMutator(1)
	m.setPartners([]*agInput{partner})
	seen := map[uint64]bool{}
	for k := 0; k < 200; k++ {
		in := &agInput{}
		in.copyFrom(start)
		if m.scalarBorrow(in, 0) {
			seen[agMutLoad(in.arg(0))] = true
		}
	}
	if len(seen) != 2 || !seen[77] || !seen[0xdeadbeef] {
		t.Errorf("borrowed %v", seen)
	}
}

func TestCopyTo(t *testing.T) {
	for at := 0; at <= 8; at++ {
		for from := 0; from < 8; from++ {
			for to := from + 1; to <= 8; to++ {
				text := "abcdefgh"
				in := mutBytes(text)
				(&agMutator{}).copyTo(in, 0, at, from, to)
				if want := text[:at] + text[from:to] + text[at:]; string(in.data) != want {
					t.Fatalf("copy of [%d,%d) to %d gives %q, want %q", from, to, at, in.data, want)
				}
			}
		}
	}
}

func TestPieces(t *testing.T) {
	for _, c := range []struct {
		text string
		from int
		want string
	}{
		{"[a[b]c]d", 0, "[a[b]c]"}, {"[a[b]c]d", 2, "[b]"}, {"(a", 0, ""}, {"x,yy,z", 1, ",yy"},
		{`{"k": 1}`, 0, `{"k": 1}`}, {"<a>b", 0, "<a>"}, {"abc", 0, ""}, {"aa", 0, "a"},
		{"(" + strings.Repeat("x", 500) + ")", 0, ""},
	} {
		end := agMutPieceEnd([]byte(c.text), c.from)
		got := ""
		if end > c.from {
			got = c.text[c.from:end]
		}
		if got != c.want {
			t.Errorf("the piece of %q at %d is %q, want %q", c.text, c.from, got, c.want)
		}
	}
}

func TestTokenRing(t *testing.T) {
	r := &agMutTokenRing{}
	r.add(nil)
	r.add(bytes.Repeat([]byte("x"), agTokenMax+1))
	if r.count != 0 {
		t.Fatal("took a token that is empty or too long")
	}
	token := []byte("same")
	r.add(token)
	r.add(token)
	token[0] = 'c'
	if r.count != 1 || string(r.at(0)) != "same" {
		t.Fatalf("%d tokens, the first %q; want one copy", r.count, r.at(0))
	}
	var number [2]byte
	for k := 0; k < 5000; k++ {
		agMutStore(number[:], uint64(k))
		r.add(number[:])
		seen := map[string]bool{}
		if k%500 == 0 {
			for n := 0; n < r.count; n++ {
				if len(r.at(n)) == 0 || seen[string(r.at(n))] {
					t.Fatalf("after %d tokens, token %d is %q, empty or double", k, n, r.at(n))
				}
				seen[string(r.at(n))] = true
			}
		}
	}
	if r.count != agRingTokens {
		t.Errorf("%d tokens, want all %d slots in use", r.count, agRingTokens)
	}
	if n := testing.AllocsPerRun(1000, func() { number[1]++; r.add(number[:]) }); n != 0 {
		t.Errorf("%v allocations per token in a full ring", n)
	}
	r.clear()
	if r.count != 0 {
		t.Error("tokens remain after clear")
	}
}

func TestTokenNumbers(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "42": 42, "-1": math.MaxUint64, "18446744073709551615": math.MaxUint64,
	} {
		if got, ok := agMutTokenNumber([]byte(text)); !ok || got != want {
			t.Errorf("%q is read as %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", "1x", "123456789012345678901", "+1"} {
		if _, ok := agMutTokenNumber([]byte(text)); ok {
			t.Errorf("%q passes as a number", text)
		}
	}
}
