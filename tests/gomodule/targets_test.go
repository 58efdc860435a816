package targets

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"testing"
)

func TestNested(t *testing.T) {
	if got := Nested([]byte("FUN")); got != 2 {
		t.Fatalf("Nested(FUN) = %d, want 2", got)
	}
}

func TestFiles(t *testing.T) {
	if err := Files(t.TempDir(), []byte("dw")); err != nil {
		t.Fatal(err)
	}
}

func FuzzNested(f *testing.F) {
	f.Add([]byte("x"))
	f.Add([]byte("Fuzz"))
	f.Fuzz(func(t *testing.T, data []byte) { Nested(data) })
}

func FuzzTrouble(f *testing.F) {
	f.Add("fine")
	f.Fuzz(func(t *testing.T, kind string) {
		switch kind {
		case "fail":
			t.Errorf("failed softly")
		case "fatal":
			t.Fatal("failed at once")
		case "skip":
			t.Skip("not this one")
		}
		Trouble(kind)
	})
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("d"))
	f.Fuzz(func(t *testing.T, ops []byte) { _ = Files(t.TempDir(), ops) })
}

// FuzzAllTypes covers a different set of branches for almost every set of arguments.
func FuzzAllTypes(f *testing.F) {
	f.Add([]byte("bytes"), "string", true, byte(1), rune('é'), 2, int8(-3), int16(4), int32(-5),
		int64(6), uint(7), uint8(8), uint16(9), uint32(10), uint64(11), float32(0.5), -2.5)
	f.Fuzz(func(t *testing.T, a []byte, b string, c bool, d byte, e rune, g int, h int8, i int16,
		j int32, k int64, l uint, m uint8, n uint16, o uint32, p uint64, q float32, r float64) {
		sum := fnv.New64a()
		fmt.Fprintf(sum, "%q %q %t ", a, b, c)
		for _, v := range []any{d, e, int64(g), h, i, j, k, uint64(l), m, n, o, p,
			math.Float32bits(q), math.Float64bits(r)} {
			_ = binary.Write(sum, binary.LittleEndian, v)
		}
		Sense(sum.Sum64())
	})
}

// FuzzUnseeded has no seed at all.
func FuzzUnseeded(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string, n int) { Nested([]byte(text)) })
}

// FuzzRefuses fails before it calls f.Fuzz, so it can never be a worker.
func FuzzRefuses(f *testing.F) {
	f.Fatal("no fixture here")
}
