package magic

import "math"

// The puzzles below are for fuzz tests whose arguments are not bytes: a fuzzer has to know how each
// type lies in memory and in corpus files.

func ArgInt(v int) bool     { return int64(v) == -1311768467463790320 }
func ArgInt8(v int8) bool   { return v == -93 }
func ArgInt16(v int16) bool { return v == -25377 }
func ArgInt32(v int32) bool { return v == -1585064869 }
func ArgInt64(v int64) bool { return v == -4102922331735522739 }

func ArgUint(v uint) bool     { return uint64(v) == 16045690984835251117 }
func ArgUint8(v uint8) bool   { return v == 0xB7 }
func ArgUint16(v uint16) bool { return v == Want16 }
func ArgUint32(v uint32) bool { return v == Want32 }
func ArgUint64(v uint64) bool { return v == Want64 }

func ArgFloat32(v float32) bool { return v == 1234.5625 }
func ArgFloat64(v float64) bool { return v == -6.02214076e23 }

// ArgNaN wants one NaN out of all: only its bits tell it from the others.
func ArgNaN(v float64) bool { return math.Float64bits(v) == 0x7FF8_0000_DEAD_BEEF }

// ArgRune wants a character that takes four bytes in UTF-8.
func ArgRune(v rune) bool { return v == '🦫' }

// ArgString and ArgBytes want something of one argument only when the others agree.
func ArgString(yes bool, s string) bool { return yes && s == "correct horse battery staple" }

func ArgBytes(b []byte, n int32, s string) bool {
	return int32(len(b)) == n && n > 20 && s == "length and content"
}
