package probe

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"strings"
	"testing"
)

var (
	mode       = os.Getenv("PROBE") // when to speak: see observe
	lengths    = rand.New(rand.NewSource(1))
	executions int
	failAt     = 1
)

// observe says what args are. With PROBE=print it prints them, with
// PROBE=always it fails with them, else it fails with them only after a random
// number of executions, so that a failure comes at any place in a chain of
// mutations. Integers are decimal, floats their bits, strings hexadecimal.
func observe(t *testing.T, args ...any) {
	if mode == "print" {
		fmt.Printf("VALUES %s %s\n", t.Name(), show(args))
		return
	}
	executions++
	if mode == "always" || executions >= failAt {
		failAt = executions + 1 + lengths.Intn(14)
		t.Fatalf("VALUES %s", show(args))
	}
}

func show(args []any) string {
	var texts []string
	for _, arg := range args {
		switch v := arg.(type) {
		case []byte, string:
			texts = append(texts, fmt.Sprintf("%x", v))
		case float32:
			texts = append(texts, fmt.Sprint(math.Float32bits(v)))
		case float64:
			texts = append(texts, fmt.Sprint(math.Float64bits(v)))
		default:
			texts = append(texts, fmt.Sprint(v))
		}
	}
	return strings.Join(texts, ",")
}

func one[T any](f *testing.F) {
	f.Fuzz(func(t *testing.T, v T) { observe(t, v) })
}

func FuzzBytes(f *testing.F)   { one[[]byte](f) }
func FuzzString(f *testing.F)  { one[string](f) }
func FuzzBool(f *testing.F)    { one[bool](f) }
func FuzzByte(f *testing.F)    { one[byte](f) }
func FuzzRune(f *testing.F)    { one[rune](f) }
func FuzzInt(f *testing.F)     { one[int](f) }
func FuzzInt8(f *testing.F)    { one[int8](f) }
func FuzzInt16(f *testing.F)   { one[int16](f) }
func FuzzInt64(f *testing.F)   { one[int64](f) }
func FuzzUint(f *testing.F)    { one[uint](f) }
func FuzzUint16(f *testing.F)  { one[uint16](f) }
func FuzzUint32(f *testing.F)  { one[uint32](f) }
func FuzzUint64(f *testing.F)  { one[uint64](f) }
func FuzzFloat32(f *testing.F) { one[float32](f) }
func FuzzFloat64(f *testing.F) { one[float64](f) }

func FuzzBytesBytes(f *testing.F) {
	f.Fuzz(func(t *testing.T, a, b []byte) { observe(t, a, b) })
}

func FuzzBytesString(f *testing.F) {
	f.Fuzz(func(t *testing.T, a []byte, b string) { observe(t, a, b) })
}

func FuzzBytesStringBytesInt(f *testing.F) {
	f.Fuzz(func(t *testing.T, a []byte, b string, c []byte, d int) { observe(t, a, b, c, d) })
}

func FuzzAll(f *testing.F) {
	f.Fuzz(func(t *testing.T, a []byte, b string, c bool, d byte, e rune, g int, h int8, i int16,
		j int64, k uint, l uint16, m uint32, n uint64, o float32, p float64) {
		observe(t, a, b, c, d, e, g, h, i, j, k, l, m, n, o, p)
	})
}
