package fuzz

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"testing"
	"testing/quick"
)

func TestRawIntegersReadBack(t *testing.T) {
	check := func(v uint64, size uint8, big bool) bool {
		code := agCode{size: 1 << (size % 4), big: big}
		data := code.raw(nil, v, code.size)
		padded := make([]byte, 8)
		if big {
			copy(padded[8-len(data):], data)
			return binary.BigEndian.Uint64(padded) == v&agCmpMask(code.size)
		}
		copy(padded, data)
		return binary.LittleEndian.Uint64(padded) == v&agCmpMask(code.size)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		size, width uint8
		v           uint64
		want        bool
	}{
		{2, 8, 0xFFFF, true},
		{2, 8, 0x10000, false},
		{2, 8, ^uint64(0), true}, // -1
		{2, 8, ^uint64(0xFFFF), false},
		{1, 4, 0xFFFFFF80, true}, // int32(-128)
		{1, 4, 0xFFFFFF7F, false},
		{8, 4, 0xFFFFFFFF, true},
	} {
		if got := (agCode{size: c.size}).fits(c.v, c.width); got != c.want {
			t.Errorf("%#x, compared in %d bytes, fits in %d: %v", c.v, c.width, c.size, got)
		}
	}
}

func TestDigitsAreWhatStrconvReads(t *testing.T) {
	check := func(v uint64) bool {
		for _, base := range []uint8{8, 10, 16} {
			text := string(agCode{base: base}.digits(nil, v, 8, 1, false))
			if n, err := strconv.ParseUint(text, int(base), 64); err != nil || n != v {
				return false
			}
		}
		signed, err := strconv.ParseInt(string(agCode{base: 10}.digits(nil, v, 8, 1, true)), 10, 64)
		return err == nil && uint64(signed) == v
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
	if got := string(agCode{base: 16, upper: true}.digits(nil, 0xAB, 4, 6, false)); got != "0000AB" {
		t.Errorf("six hexadecimal digits of 0xAB are %q", got)
	}
	if got := string(agCode{base: 10}.digits(nil, 0, 4, 1, true)); got != "0" {
		t.Errorf("zero is %q", got)
	}
}

func TestBase64(t *testing.T) {
	check := func(b []byte) bool { return string(agBase64(nil, b)) == base64.RawStdEncoding.EncodeToString(b) }
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestNumbersInText(t *testing.T) {
	data := []byte("a12 -345;99999999999999999999999 0x7f")
	var got []string
	for at := 0; ; {
		n, ok := agNextNumber(data, at, len(data), 10)
		if !ok {
			break
		}
		text := strconv.FormatUint(n.value, 10)
		if n.negative {
			text = "-" + text
		}
		got = append(got, text)
		at = n.span.to
	}
	want := []string{"12", "-345", "0", "7"}
	if len(got) != len(want) {
		t.Fatalf("found %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("found %q, want %q", got, want)
		}
	}
}

func TestFindBytes(t *testing.T) {
	data := []byte("abcABCabc")
	for _, c := range []struct {
		part string
		from int
		fold bool
		want int
	}{{"ABC", 0, false, 3}, {"abc", 1, false, 6}, {"aBc", 1, true, 3}, {"abcd", 0, true, -1}, {"", 0, false, -1}} {
		if got := agFindBytes(data, []byte(c.part), c.from, c.fold); got != c.want {
			t.Errorf("%q from %d (fold: %v) is at %d, want %d", c.part, c.from, c.fold, got, c.want)
		}
	}
}
