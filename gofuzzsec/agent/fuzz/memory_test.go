package fuzz

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestAFailureIsToldTwiceThenCounted(t *testing.T) {
	var f agFails
	var told []bool
	for i := 0; i < 5; i++ {
		_, report := f.see("x_test.go:7: boom")
		told = append(told, report)
	}
	if want := []bool{true, true, false, false, false}; !reflect.DeepEqual(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	key := agFailKey("x_test.go:7: boom")
	if f.again[key] != 3 || !reflect.DeepEqual(f.order, []uint64{key}) {
		t.Errorf("again %v, order %v", f.again, f.order)
	}
}

func TestWhatTellsFailuresApart(t *testing.T) {
	same := [][2]string{
		{"panic: index 7 out of range", "panic: index 4711 out of range"},
		{"x_test.go:7: got 0xdeadbeef", "x_test.go:7: got 0x12ab"},
		{`x_test.go:7: found "this"`, `x_test.go:7: found "something \x00 else"`},
		{"goroutine 7 [running]:\nm.F({0xc000012345, 0x3})", "goroutine 34 [running]:\nm.F({0xc000999999, 0x1})"},
	}
	for _, pair := range same {
		if agFailKey(pair[0]) != agFailKey(pair[1]) {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
	}
	different := [][2]string{
		{"panic: one", "panic: two"},
		{"x_test.go:7: boom", "x_test.go:12: boom"},
		{"\tm.go:7 +0x1d", "\tm.go:8 +0x1d"},
		{`open "quote` + "\nmore", `open "quote` + "\nother"},
	}
	for _, pair := range different {
		if agFailKey(pair[0]) == agFailKey(pair[1]) {
			t.Errorf("%q and %q are taken for the same", pair[0], pair[1])
		}
	}
}

func TestFailuresRememberedAreBounded(t *testing.T) {
	var f agFails
	for i := 0; i < agMostFails+50; i++ {
		name := strings.Map(func(r rune) rune { return r + 'k' - '0' }, fmt.Sprint(i))
		_, report := f.see("panic: " + name)
		if report != (i < agMostFails) {
			t.Fatalf("failure %d is told: %v", i, report)
		}
	}
	if len(f.seen) != agMostFails || len(f.again) != 0 {
		t.Errorf("%d remembered, %d counted again", len(f.seen), len(f.again))
	}
	if key := agFailKey(strings.Repeat("x", 1<<20)); key != agFailKey(strings.Repeat("x", 1<<20)+"y") {
		t.Error("all of a long text is hashed")
	}
}

func TestTokensRememberedAreBounded(t *testing.T) {
	var told agTold
	for i := 0; i < agMostTokens+10; i++ {
		if got := told.add([]byte(fmt.Sprint("token ", i))); got != (i < agMostTokens) {
			t.Fatalf("token %d is new: %v", i, got)
		}
	}
	if told.add([]byte("token 0")) {
		t.Error("an old token is new")
	}
}
