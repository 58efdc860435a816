package fuzz

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/adler32"
	"hash/crc32"
	"strings"
	"testing"
)

// pngPuzzle wants a signature and two chunks (length, type, data, CRC) of which the second is IEND.
func pngPuzzle(t *simTarget) bool {
	b := t.bytes(0)
	if !t.atLeast(1, len(b), 8) || !t.str(2, string(b[:8]), "\x89PNG\r\n\x1a\n") {
		return false
	}
	t.edge(1)
	for at, n := 8, uint(0); ; n++ {
		if !t.atLeast(3, len(b)-at, 12) {
			return false
		}
		t.edge(2)
		size := int(binary.BigEndian.Uint32(b[at:]))
		t.int(4, 8, uint64(size), uint64(len(b)-at-12))
		if size > len(b)-at-12 {
			return false
		}
		t.edge(3)
		body := b[at+4 : at+8+size]
		if !t.int(5, 4, uint64(binary.BigEndian.Uint32(b[at+8+size:])), uint64(crc32.ChecksumIEEE(body))) {
			return false
		}
		t.edge(4)
		if n == 0 {
			if !t.str(6, string(body[:4]), "IHDR") {
				return false
			}
			t.edge(5)
			if !t.constInt(7, 8, 13, uint64(size)) {
				return false
			}
			t.edge(6)
			if !t.constInt(8, 4, 640, uint64(binary.BigEndian.Uint32(body[4:]))) {
				return false
			}
			t.edge(7)
		} else if t.str(9, string(body[:4]), "IEND") {
			return t.constInt(10, 8, 0, uint64(size))
		}
		at += 12 + size
	}
}

// tlvPuzzle wants tag 0x30 with a length, in it tag 2 with a length of its own and a value.
func tlvPuzzle(t *simTarget) bool {
	b := t.bytes(0)
	if !t.atLeast(1, len(b), 2) || !t.constInt(2, 1, 0x30, uint64(b[0])) {
		return false
	}
	t.edge(1)
	if !t.int(3, 8, uint64(b[1]), uint64(len(b)-2)) {
		return false
	}
	t.edge(2)
	inner := b[2:]
	if !t.atLeast(4, len(inner), 2) || !t.constInt(5, 1, 0x1C, uint64(inner[0])) {
		return false
	}
	t.edge(3)
	if !t.int(6, 8, uint64(inner[1]), uint64(len(inner)-2)) {
		return false
	}
	t.edge(4)
	return t.str(7, string(inner[2:]), "a value of its own")
}

// numberBefore is the number before a colon, and what follows it.
func numberBefore(t *simTarget, s string) (n uint64, rest string, ok bool) {
	digits, rest, found := strings.Cut(s, ":")
	if !found {
		return 0, "", false
	}
	t.edge(50)
	n, ok = t.number(200, digits)
	return n, rest, ok
}

// slowEqual compares bytewise without any branch of its own.
func slowEqual(t *simTarget, site uint, a, b string) bool {
	for i := 0; i < len(a) && i < len(b); i++ {
		t.int(site+1, 8, uint64(i), uint64(len(a)))
		t.int(site+2, 8, uint64(i), uint64(len(b)))
		if !t.int(site, 1, uint64(a[i]), uint64(b[i])) {
			return false
		}
	}
	t.int(site+3, 8, uint64(len(a)), uint64(len(b)))
	return len(a) >= len(b)
}

func sumOf(b []byte) (sum uint32) {
	for _, c := range b {
		sum += uint32(c)
	}
	return sum
}

func formatPuzzles() []puzzle {
	le, be := binary.LittleEndian, binary.BigEndian
	text := "some text that is long enough for all"
	return []puzzle{
		{"PNG", simBytes(strings.Repeat("poor seed ", 6)), pngPuzzle},
		{"TLV", simBytes("not a tag in sight"), tlvPuzzle},
		{"DecimalLength", simBytes("7:some data"), func(t *simTarget) bool {
			n, rest, ok := numberBefore(t, string(t.bytes(0)))
			if !ok || !t.int(1, 8, n, uint64(len(rest))) {
				return false
			}
			t.edge(1)
			return t.str(2, rest, "data of another length")
		}},
		{"BigEndian24", simBytes(text), func(t *simTarget) bool {
			b := t.bytes(0)
			return t.atLeast(1, len(b), 9) &&
				t.constInt(2, 4, 0xBADE5E, uint64(b[5])<<16|uint64(b[6])<<8|uint64(b[7]))
		}},
		{"Linear", simBytes(text), func(t *simTarget) bool {
			b := t.bytes(0)
			return t.atLeast(1, len(b), 9) && t.constInt(2, 4, 0xC0FFEE11, uint64(le.Uint32(b[3:])*7+3))
		}},
		{"LinearWide", simBytes(text), func(t *simTarget) bool {
			b := t.bytes(0)
			return t.atLeast(1, len(b), 19) && t.constInt(2, 8, 0x0123456789ABCDEF, be.Uint64(b[3:])*0x9E3779B97F4A7C15)
		}},
		{"Xor", simBytes(text), func(t *simTarget) bool {
			b := t.bytes(0)
			return t.atLeast(1, len(b), 9) && t.constInt(2, 4, 0xC0FFEE11, uint64(be.Uint32(b[3:])^0x5EC2E75A))
		}},
		{"Sum", simBytes(text), func(t *simTarget) bool {
			return t.constInt(2, 4, 6021, uint64(sumOf(t.bytes(0))))
		}},
		{"Varint", simBytes("\x81\x82\x03 and more"), func(t *simTarget) bool {
			v, n := binary.Uvarint(t.bytes(0))
			return n > 0 && t.constInt(2, 8, 1234567, v)
		}},
		{"HexText", simBytes("00c0ffee"), func(t *simTarget) bool {
			b, err := hex.DecodeString(string(t.bytes(0)))
			if err != nil {
				return false
			}
			t.edge(1)
			return t.str(2, string(b), "\xDE\xAD\xBE\xEF and beef")
		}},
		{"HexNumber", simBytes("id=00c0ffee;"), func(t *simTarget) bool {
			b := t.bytes(0)
			if len(b) < 12 {
				return false
			}
			v, err := hex.DecodeString(string(b[3:11]))
			return err == nil && t.constInt(2, 4, 0x1BADB002, uint64(be.Uint32(v)))
		}},
		{"Base64", simBytes("aGVsbG8gd29y"), func(t *simTarget) bool {
			b, err := base64.RawStdEncoding.DecodeString(string(t.bytes(0)))
			if err != nil {
				return false
			}
			t.edge(1)
			return t.str(2, string(b), "another word")
		}},
		{"Rot13", simBytes("qwertyuiop"), func(t *simTarget) bool {
			b := append([]byte(nil), t.bytes(0)...)
			for i, c := range b {
				if 'a' <= c && c <= 'z' {
					b[i] = 'a' + (c-'a'+13)%26
				}
			}
			return t.str(2, string(b), "flying fox")
		}},
		{"Upper", simBytes("hello"), func(t *simTarget) bool {
			return t.str(1, strings.ToUpper(strings.TrimSpace(string(t.bytes(0)))), "BUILD TARGET")
		}},
		{"TwoFields", simBytes(text), func(t *simTarget) bool {
			b := t.bytes(0)
			return t.atLeast(1, len(b), 24) && t.int(2, 8, be.Uint64(b), le.Uint64(b[12:])) &&
				t.constInt(3, 1, 0xEE, uint64(b[2]))
		}},
		{"Helper", simBytes("0123456789"), func(t *simTarget) bool {
			return slowEqual(t, 1, string(t.bytes(0)), "compared one by one in a helper")
		}},
		{"AllAtOnce", simBytes(text), func(t *simTarget) bool {
			b := t.bytes(0)
			if len(b) < 24 {
				return false
			}
			first := t.constInt(1, 4, 0xC0DEC0DE, uint64(be.Uint32(b[2:])))
			second := t.constInt(2, 2, 0xF00D, uint64(le.Uint16(b[9:])))
			third := t.str(3, string(b[14:20]), "either")
			return first && second && third
		}},
		{"ByteSum", simBytes("$GPXYZ,some data*00"), func(t *simTarget) bool {
			body, sum, found := strings.Cut(string(t.bytes(0)), "*")
			want, err := hex.DecodeString(sum)
			if !found || err != nil || len(want) != 1 {
				return false
			}
			t.edge(1)
			if !t.int(1, 1, uint64(want[0]), uint64(sumOf([]byte(body))&255)) {
				return false
			}
			t.edge(2)
			return strings.HasPrefix(body, "$") && t.str(2, body[1:], "GPGGA,123519")
		}},
		{"Octal", simBytes("name0000000\x000000123\x00rest of the header"), func(t *simTarget) bool {
			b := t.bytes(0)
			if len(b) < 24 {
				return false
			}
			v := uint64(0)
			for _, c := range b[12:19] {
				if c < '0' || c > '7' {
					return false
				}
				v = v<<3 | uint64(c-'0')
			}
			t.edge(1)
			if !t.int(1, 8, v, uint64(sumOf(b[:12])+sumOf(b[19:])+256)) {
				return false
			}
			t.edge(2)
			return t.str(2, string(b[19:24]), "\x00ustar"[:5])
		}},
		{"TrailingDigest", simBytes(text), func(t *simTarget) bool {
			b := t.bytes(0)
			if !t.atLeast(1, len(b), 8) {
				return false
			}
			body, sum := b[:len(b)-4], b[len(b)-4:]
			var want [4]byte
			be.PutUint32(want[:], adler32.Checksum(body))
			if !t.str(2, string(sum), string(want[:])) {
				return false
			}
			t.edge(2)
			return t.str(3, string(body[:6]), "zlib 9")
		}},
		{"WrongSide", simBytes(text), func(t *simTarget) bool {
			return t.str(1, "a constant on the left", string(t.bytes(0)))
		}},
		{"Far", simBytes(strings.Repeat("filler ", 400)), func(t *simTarget) bool {
			b := t.bytes(0)
			return t.atLeast(1, len(b), 2700) && t.constInt(2, 4, 0x0BADF00D, uint64(le.Uint32(b[2677:])^0x11111111))
		}},
		{"Signed", simBytes("temperature: 20 degrees"), func(t *simTarget) bool {
			_, s, _ := strings.Cut(string(t.bytes(0)), ": ")
			s, _, _ = strings.Cut(s, " ")
			negative := strings.HasPrefix(s, "-")
			n, ok := t.number(200, strings.TrimPrefix(s, "-"))
			if negative {
				n = -n
			}
			return ok && t.constInt(2, 8, ^uint64(273149), n)
		}},
	}
}

func TestSolverPassesFormats(t *testing.T) {
	for _, p := range formatPuzzles() {
		t.Run(p.name, func(t *testing.T) { mustSolve(t, p.seed, p.target) })
	}
}
