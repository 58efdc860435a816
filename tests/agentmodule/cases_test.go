package agenttargets

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// world is what executions share and must find as the first one did.
type world struct {
	dir, environ string
}

func look() world {
	dir, err := os.Getwd()
	if err != nil {
		dir = err.Error()
	}
	return world{dir, strings.Join(os.Environ(), "\n")}
}

var before = look()

// cases are what a fuzz function may do, by the input that asks for it.
var cases = map[string]func(t *testing.T, f *testing.F){}

// gone are folders that must not exist once the execution that made them is over.
var gone []string

// register adds cases; files that need a later Go have their own.
func register(more map[string]func(t *testing.T, f *testing.F)) {
	for name, do := range more {
		if cases[name] != nil {
			panic("two cases are named " + name)
		}
		cases[name] = do
	}
}

func FuzzCases(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if do := cases[string(data)]; do != nil {
			do(t, f)
		}
	})
}

// FuzzHelper is a fuzz function that calls itself a helper.
func FuzzHelper(f *testing.F) {
	f.Fuzz(func(t *testing.T, data string) {
		t.Helper()
		if data == "fail" {
			t.Error("seen where f.Fuzz is called")
		}
	})
}

// FuzzWrite overwrites its argument, then does what the argument said.
func FuzzWrite(f *testing.F) {
	f.Fuzz(func(t *testing.T, first []byte, second []byte) {
		word := string(first)
		if len(second) > 0 && second[0] == '!' {
			t.Fatalf("found %q overwritten", second)
		}
		Sense(int(word[0]))
		Overwrite(first)
		_ = append(first, "over the end"...)
		switch word {
		case "fail":
			t.Fatalf("found %q after %q", second, first)
		case "die":
			go panic("in a goroutine")
			Forever()
		}
		if string(second) == "new" {
			Sense(1 << 2)
			Boomless(second)
		}
		Overwrite(second)
	})
}

// Boomless has a branch that only FuzzWrite reaches.
func Boomless(data []byte) int {
	if len(data) == 3 {
		return 1
	}
	return 0
}

// FuzzSense covers different branches for different inputs.
func FuzzSense(f *testing.F) {
	f.Fuzz(func(t *testing.T, data string, n int) {
		Sense(n)
		switch {
		case strings.HasPrefix(data, "cleanup"):
			t.Cleanup(func() { Sense(63) })
		case strings.HasPrefix(data, "sub"):
			t.Run("sub", func(t *testing.T) { Sense(5) })
		case strings.HasPrefix(data, "parallel"):
			t.Run("sub", func(t *testing.T) { t.Parallel(); Sense(63) })
		case strings.HasPrefix(data, "skip"):
			t.Cleanup(func() { Sense(62) })
			t.SkipNow()
		}
	})
}

// FuzzTypes says what it was given.
func FuzzTypes(f *testing.F) {
	f.Fuzz(func(t *testing.T, a []byte, b string, c bool, d byte, e rune, g int, h int8, i int16,
		j int32, k int64, l uint, m uint8, n uint16, o uint32, p uint64, q float32, r float64) {
		var out strings.Builder
		fmt.Fprintf(&out, "%q %q %t ", a, b, c)
		for _, v := range []any{d, e, g, h, i, j, k, l, m, n, o, p} {
			fmt.Fprintf(&out, "%T %d ", v, v)
		}
		fmt.Fprintf(&out, "%x %x", bits32(q), bits64(r))
		t.Fatal(out.String())
	})
}

// FuzzBig fails for a long input, and says how it ends.
func FuzzBig(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			t.Fatalf("%d bytes, the last %q", len(data), data[len(data)-4:])
		}
	})
}
