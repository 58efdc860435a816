package fuzz

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
)

const (
	simWant16 = 0x9C3F
	simWant32 = 0xD1E8A45B
	simWant64 = 0xC70F5E9A36B1824D
)

// puzzle is a simulated target; examples/magic has the originals, and says what each needs.
type puzzle struct {
	name   string
	seed   *agInput
	target func(t *simTarget) bool
}

func both(t *simTarget, b []byte, match bool) bool {
	if !match {
		return false
	}
	t.edge(2)
	return t.int(90, 1, uint64(b[0]), uint64(b[7]))
}

// field is an integer of n bytes at offset at, of at least least bytes.
func fieldPuzzle(at, n, least int, order binary.ByteOrder, want uint64, and bool) func(t *simTarget) bool {
	return func(t *simTarget) bool {
		b := t.bytes(0)
		if !t.atLeast(1, len(b), least) {
			return false
		}
		t.edge(1)
		var v uint64
		switch n {
		case 2:
			v = uint64(order.Uint16(b[at:]))
		case 4:
			v = uint64(order.Uint32(b[at:]))
		case 8:
			v = order.Uint64(b[at:])
		}
		match := t.constInt(2, uint8(n), want, v)
		if and {
			return both(t, b, match)
		}
		return match
	}
}

// scalarPuzzle wants one value of a scalar.
func scalarPuzzle(width uint8, want int64) func(t *simTarget) bool {
	return func(t *simTarget) bool {
		v := uint64(0)
		for i, b := range t.bytes(0) {
			v |= uint64(b) << (8 * i)
		}
		return t.constInt(1, width, uint64(want)&agCmpMask(width), v)
	}
}

func nestedPuzzle(t *simTarget) bool {
	b := t.bytes(0)
	if !t.atLeast(1, len(b), 8) {
		return false
	}
	for i, want := range []byte{0xF0, 'n', 0x1E, 's', 0x7B, 't', 0xC4, '!'} {
		t.edge(10 + i)
		if !t.constInt(uint(10+i), 1, uint64(want), uint64(b[i])) {
			return false
		}
	}
	return true
}

func switchPuzzle(t *simTarget) bool {
	s := string(t.bytes(0))
	for i, name := range []string{"subscribe", "publish", "unsubscribe", "heartbeat", "handshake", "terminate"} {
		if t.str(uint(10+i), s, name) {
			t.edge(i)
			return false
		}
	}
	return t.str(20, s, "renegotiate")
}

func lengthPuzzle(t *simTarget) bool {
	b := t.bytes(0)
	if !t.atLeast(1, len(b), 4) {
		return false
	}
	t.edge(1)
	n := int(binary.BigEndian.Uint32(b))
	if !t.atLeast(2, n, 24) {
		return false
	}
	t.edge(2)
	if !t.int(3, 8, uint64(n), uint64(len(b)-5)) {
		return false
	}
	t.edge(3)
	return t.constInt(4, 1, 0xA5, uint64(b[4+n]))
}

func multiStagePuzzle(t *simTarget) bool {
	b := t.bytes(0)
	if !t.atLeast(1, len(b), 12) {
		return false
	}
	t.edge(1)
	if !t.str(2, string(b[:4]), "GSEC") {
		return false
	}
	t.edge(2)
	if !t.constInt(3, 2, 3, uint64(binary.LittleEndian.Uint16(b[4:]))) {
		return false
	}
	t.edge(3)
	payload := b[12:]
	if !t.int(4, 8, uint64(binary.BigEndian.Uint16(b[6:])), uint64(len(payload))) {
		return false
	}
	t.edge(4)
	if !t.atLeast(5, len(payload), 8) {
		return false
	}
	t.edge(5)
	if !t.int(6, 4, uint64(binary.LittleEndian.Uint32(b[8:])), uint64(crc32.ChecksumIEEE(payload))) {
		return false
	}
	t.edge(6)
	command, argument, found := strings.Cut(string(payload), " ")
	if !found {
		return false
	}
	t.edge(7)
	if !t.str(7, command, "reboot") {
		return false
	}
	t.edge(8)
	port, ok := t.number(100, argument)
	if !ok {
		return false
	}
	t.edge(9)
	return t.constInt(8, 8, 50607, port)
}

func argBytesPuzzle(t *simTarget) bool {
	b, s := t.bytes(0), string(t.bytes(2))
	n := binary.LittleEndian.Uint32(t.bytes(1))
	if !t.int(1, 4, uint64(uint32(len(b))), uint64(n)) {
		return false
	}
	t.edge(1)
	t.constInt(2, 4, 20, uint64(n))
	if int32(n) <= 20 {
		return false
	}
	t.edge(2)
	return t.str(3, s, "length and content")
}

func magicPuzzles() []puzzle {
	le, be := binary.LittleEndian, binary.BigEndian
	digits, sixteen := simBytes("0123456789"), simBytes("0123456789abcdef")
	list := []puzzle{
		{"NestedBytes", simBytes("some bytes"), nestedPuzzle},
		{"String30", simBytes("hello"), func(t *simTarget) bool {
			return t.str(1, string(t.bytes(0)), "the-quick-onyx-goblin-jumps-ov")
		}},
		{"StringInside", simBytes(string(make([]byte, 48))), func(t *simTarget) bool {
			b := t.bytes(0)
			return t.atLeast(1, len(b), 40) && t.str(2, string(b[5:35]), "pack-my-box-with-five-dozen-li")
		}},
		{"SwitchString", simBytes("hello"), switchPuzzle},
		{"Int16LE", digits, fieldPuzzle(3, 2, 8, le, simWant16, true)},
		{"Int16BE", digits, fieldPuzzle(3, 2, 8, be, simWant16, true)},
		{"Int32LE", sixteen, fieldPuzzle(4, 4, 12, le, simWant32, false)},
		{"Int32BE", sixteen, fieldPuzzle(4, 4, 12, be, simWant32, false)},
		{"Int64LE", sixteen, fieldPuzzle(8, 8, 16, le, simWant64, false)},
		{"Int64BE", sixteen, fieldPuzzle(8, 8, 16, be, simWant64, false)},
		{"EqualFold", simBytes("Accept: text"), func(t *simTarget) bool {
			return t.fold(1, string(t.bytes(0)), "Transfer-Encoding: Gzip")
		}},
		{"HasPrefix", simBytes("some text that is long enough for it"), func(t *simTarget) bool {
			s, prefix := string(t.bytes(0)), "-----BEGIN PRIVATE KEY-----"
			t.int(1, 8, uint64(len(s)), uint64(len(prefix)))
			if len(s) < len(prefix) || !t.str(2, s[:len(prefix)], prefix) {
				return false
			}
			t.edge(1)
			return t.atLeast(3, len(s), 31)
		}},
		{"BytesEqual", simBytes("some bytes that are long enough"), func(t *simTarget) bool {
			b, sign := t.bytes(0), "\x89GFS\r\n\x1A\n\x00\xFE\xED\x05"
			t.int(1, 8, uint64(len(b)), uint64(len(sign)))
			return len(b) >= len(sign) && t.str(2, string(b[len(b)-len(sign):]), sign)
		}},
		{"Decimal", simBytes("42"), func(t *simTarget) bool {
			n, ok := t.number(100, string(t.bytes(0)))
			return ok && t.constInt(1, 8, 1789236450, n)
		}},
		{"OffByOne", simBytes("01234567"), func(t *simTarget) bool {
			b := t.bytes(0)
			if !t.atLeast(1, len(b), 8) || !t.constInt(2, 4, simWant32, uint64(le.Uint32(b)+1)) {
				return false
			}
			t.edge(1)
			return t.constInt(3, 4, simWant32, uint64(be.Uint32(b[4:])-1))
		}},
		{"CRC32", sixteen, func(t *simTarget) bool {
			b := t.bytes(0)
			return t.atLeast(1, len(b), 12) &&
				t.int(2, 4, uint64(be.Uint32(b)), uint64(crc32.ChecksumIEEE(b[4:])))
		}},
		{"LengthField", simBytes(string(make([]byte, 32))), lengthPuzzle},
		{"MultiStage", simBytes("packet with a header and some payload"), multiStagePuzzle},
		{"ArgString", &agInput{
			kinds: []agKind{{agBool, 1}, {class: agString}}, data: []byte("\x00hello"), ends: []int{1, 6},
		}, func(t *simTarget) bool {
			if t.bytes(0)[0] == 0 {
				return false
			}
			t.edge(1)
			return t.str(1, string(t.bytes(1)), "correct horse battery staple")
		}},
		{"ArgBytes", &agInput{
			kinds: []agKind{{class: agBytes}, {agSigned, 4}, {class: agString}},
			data:  []byte("bytes\x03\x00\x00\x00hello"), ends: []int{5, 9, 14},
		}, argBytesPuzzle},
		{"ArgNaN", simScalar(agFloat, 8), scalarPuzzle(8, 0x7FF80000DEADBEEF)},
		{"ArgRune", simScalar(agSigned, 4), scalarPuzzle(4, '🦫')},
	}
	wants := []int64{0, -93, -25377, 0, -1585064869, 0, 0, 0, -4102922331735522739}
	for _, width := range []uint8{1, 2, 4, 8} {
		name := string('0' + rune(width))
		list = append(list,
			puzzle{"ArgInt" + name, simScalar(agSigned, width), scalarPuzzle(width, wants[width])},
			puzzle{"ArgUint" + name, simScalar(agUnsigned, width), scalarPuzzle(width, -wants[width]-3)})
	}
	return list
}

func TestSolverPassesMagic(t *testing.T) {
	for _, p := range magicPuzzles() {
		t.Run(p.name, func(t *testing.T) { mustSolve(t, p.seed, p.target) })
	}
}

func TestSolverIsDeterministic(t *testing.T) {
	trail := func() (uint64, int) {
		m := newSimMachine(multiStagePuzzle)
		m.fuzz(simBytes("packet with a header and some payload"))
		return m.trail, m.runs
	}
	first, runs := trail()
	if again, runsAgain := trail(); again != first || runsAgain != runs {
		t.Fatalf("%d executions, then %d others", runs, runsAgain)
	}
}
