package magic

import (
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// solutions has the arguments that solve each puzzle, by the name of its fuzz test.
var solutions = map[string][]any{
	"FuzzNestedBytes":  {[]byte("\xF0n\x1Es\x7Bt\xC4!")},
	"FuzzString30":     {"the-quick-onyx-goblin-jumps-ov"},
	"FuzzStringInside": {[]byte("01234" + "pack-my-box-with-five-dozen-li" + "56789")},
	"FuzzSwitchString": {"renegotiate"},
	"FuzzMapLookup":    {"import-state"},
	"FuzzInt16LE":      {append(binary.LittleEndian.AppendUint16([]byte("abc"), Want16), "xya"...)},
	"FuzzInt16BE":      {append(binary.BigEndian.AppendUint16([]byte("abc"), Want16), "xya"...)},
	"FuzzInt32LE":      {append(binary.LittleEndian.AppendUint32([]byte("abcd"), Want32), "efgh"...)},
	"FuzzInt32BE":      {append(binary.BigEndian.AppendUint32([]byte("abcd"), Want32), "efgh"...)},
	"FuzzInt64LE":      {binary.LittleEndian.AppendUint64([]byte("abcdefgh"), Want64)},
	"FuzzInt64BE":      {binary.BigEndian.AppendUint64([]byte("abcdefgh"), Want64)},
	"FuzzEqualFold":    {"tRANSFER-eNCODING: gZIP"},
	"FuzzHasPrefix":    {"-----BEGIN PRIVATE KEY-----\nMIIE"},
	"FuzzBytesEqual":   {append([]byte("anything"), signature...)},
	"FuzzDecimal":      {"1789236450"},
	"FuzzOffByOne": {binary.BigEndian.AppendUint32(
		binary.LittleEndian.AppendUint32(nil, Want32-1), Want32+1)},
	"FuzzCRC32":       {withChecksum([]byte("any payload"))},
	"FuzzLengthField": {withLength([]byte("a payload of at least twenty-four bytes"))},
	"FuzzMultiStage":  {packet([]byte("reboot 50607"))},
	"FuzzArgInt":      {int(-1311768467463790320)},
	"FuzzArgInt8":     {int8(-93)},
	"FuzzArgInt16":    {int16(-25377)},
	"FuzzArgInt32":    {int32(-1585064869)},
	"FuzzArgInt64":    {int64(-4102922331735522739)},
	"FuzzArgUint":     {uint(16045690984835251117)},
	"FuzzArgUint8":    {uint8(0xB7)},
	"FuzzArgUint16":   {uint16(Want16)},
	"FuzzArgUint32":   {uint32(Want32)},
	"FuzzArgUint64":   {uint64(Want64)},
	"FuzzArgFloat32":  {float32(1234.5625)},
	"FuzzArgFloat64":  {float64(-6.02214076e23)},
	"FuzzArgNaN":      {math.Float64frombits(0x7FF80000DEADBEEF)},
	"FuzzArgRune":     {'🦫'},
	"FuzzArgString":   {true, "correct horse battery staple"},
	"FuzzArgBytes":    {make([]byte, 21), int32(21), "length and content"},
}

func withChecksum(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(payload)), payload...)
}

func withLength(payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	return append(append(b, payload...), 0xA5)
}

func packet(payload []byte) []byte {
	b := binary.LittleEndian.AppendUint16([]byte("GSEC"), 3)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(payload))
	return append(b, payload...)
}

// corpusFile writes arguments as a file that go test replays.
func corpusFile(args []any) []byte {
	text := "go test fuzz v1\n"
	for _, arg := range args {
		switch v := arg.(type) {
		case float64:
			text += fmt.Sprintf("math.Float64frombits(0x%x)\n", math.Float64bits(v))
		case []byte, string:
			text += fmt.Sprintf("%T(%q)\n", v, v)
		default:
			text += fmt.Sprintf("%T(%v)\n", v, v)
		}
	}
	return []byte(strings.Replace(text, "[]uint8(", "[]byte(", -1))
}

// fuzzTests lists the fuzz tests of this package from their source.
func fuzzTests(t *testing.T) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "fuzz_test.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Fuzz") {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

// Every fuzz test must fail, with its own message, when it is given the solution.
func TestEveryPuzzleIsSolvable(t *testing.T) {
	names := fuzzTests(t)
	if len(names) != len(solutions) {
		t.Errorf("%d fuzz tests, %d solutions", len(names), len(solutions))
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			args, ok := solutions[name]
			if !ok {
				t.Fatal("no solution")
			}
			dir := t.TempDir()
			corpus := filepath.Join(dir, "testdata", "fuzz", name)
			if err := os.MkdirAll(corpus, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(corpus, "solution"), corpusFile(args), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self, "-test.run=^"+name+"$")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if _, failed := err.(*exec.ExitError); !failed {
				t.Fatalf("the solution did not make it fail: %v\n%s", err, out)
			}
			want := "solved: " + strings.TrimPrefix(name, "Fuzz") + "\n"
			if n := strings.Count(string(out), "solved: "); n != 1 || !strings.Contains(string(out), want) {
				t.Errorf("solved %d times, want once, by %q:\n%s", n, want, out)
			}
		})
	}
}

// A solution with one bit turned is none.
func TestNearMisses(t *testing.T) {
	tests := []struct {
		name     string
		puzzle   func([]byte) bool
		from, to int // bytes that matter; to counts from the end
	}{
		{"FuzzNestedBytes", NestedBytes, 0, 0},
		{"FuzzStringInside", StringInside, 5, 5},
		{"FuzzInt16LE", Int16LE, 3, 3},
		{"FuzzInt16BE", Int16BE, 3, 3},
		{"FuzzInt32LE", Int32LE, 4, 4},
		{"FuzzInt32BE", Int32BE, 4, 4},
		{"FuzzInt64LE", Int64LE, 8, 0},
		{"FuzzInt64BE", Int64BE, 8, 0},
		{"FuzzBytesEqual", BytesEqual, len("anything"), 0},
		{"FuzzOffByOne", OffByOne, 0, 0},
		{"FuzzCRC32", CRC32, 0, 0},
		{"FuzzMultiStage", MultiStage, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			solution := solutions[test.name][0].([]byte)
			if !test.puzzle(solution) {
				t.Fatal("not solved by its solution")
			}
			for bit := test.from * 8; bit < (len(solution)-test.to)*8; bit++ {
				near := append([]byte(nil), solution...)
				near[bit/8] ^= 1 << (bit % 8)
				if test.puzzle(near) {
					t.Errorf("still solved with bit %d turned: %q", bit, near)
				}
			}
		})
	}
}
