// Package magic holds puzzles for fuzzers: conditions that random mutation does not meet, each the
// plainest form of something that parsers really do. Every function answers true when its condition
// is met; fuzz_test.go has one fuzz test for each, which fails then.
//
// The README says what each needs. The constants are arbitrary, chosen so that no two bytes of an
// integer are equal and reading it in the wrong byte order gives something else.
package magic

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"
)

// The values that solve the integer puzzles.
const (
	Want16 = 0x9C3F
	Want32 = 0xD1E8A45B
	Want64 = 0xC70F5E9A36B1824D
)

// NestedBytes compares eight bytes one after the other, each behind the one before.
func NestedBytes(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	if b[0] == 0xF0 {
		if b[1] == 'n' {
			if b[2] == 0x1E {
				if b[3] == 's' {
					if b[4] == 0x7B {
						if b[5] == 't' {
							if b[6] == 0xC4 {
								return b[7] == '!'
							}
						}
					}
				}
			}
		}
	}
	return false
}

// String30 compares the whole input with a string of 30 bytes.
func String30(s string) bool {
	return s == "the-quick-onyx-goblin-jumps-ov"
}

// StringInside compares 30 bytes in the middle of the input.
func StringInside(b []byte) bool {
	return len(b) >= 40 && string(b[5:35]) == "pack-my-box-with-five-dozen-li"
}

// SwitchString finds the input among the cases of a switch, which compiles to a binary search over
// lengths and values.
func SwitchString(s string) bool {
	switch s {
	case "subscribe", "publish", "unsubscribe", "heartbeat", "handshake", "terminate":
		return false
	case "renegotiate":
		return true
	}
	return false
}

var commands = map[string]int{
	"open-session": 1, "close-session": 2, "rotate-key": 3, "list-peers": 4, "drop-peer": 5,
	"export-state": 6, "import-state": 7, "set-quota": 8, "get-quota": 9, "self-test": 10,
}

// MapLookup finds the input in a map: a hash and a comparison inside the runtime.
func MapLookup(s string) bool {
	return commands[s] == 7
}

// Int16LE and the five after it read an integer at a fixed offset.
func Int16LE(b []byte) bool {
	return len(b) >= 8 && binary.LittleEndian.Uint16(b[3:]) == Want16 && b[0] == b[7]
}

func Int16BE(b []byte) bool {
	return len(b) >= 8 && binary.BigEndian.Uint16(b[3:]) == Want16 && b[0] == b[7]
}

func Int32LE(b []byte) bool {
	return len(b) >= 12 && binary.LittleEndian.Uint32(b[4:]) == Want32
}

func Int32BE(b []byte) bool {
	return len(b) >= 12 && binary.BigEndian.Uint32(b[4:]) == Want32
}

func Int64LE(b []byte) bool {
	return len(b) >= 16 && binary.LittleEndian.Uint64(b[8:]) == Want64
}

func Int64BE(b []byte) bool {
	return len(b) >= 16 && binary.BigEndian.Uint64(b[8:]) == Want64
}

// EqualFold compares without regard to case.
func EqualFold(s string) bool {
	return strings.EqualFold(s, "Transfer-Encoding: Gzip")
}

// HasPrefix wants a prefix and something after it.
func HasPrefix(s string) bool {
	return strings.HasPrefix(s, "-----BEGIN PRIVATE KEY-----") && len(s) > 30
}

var signature = []byte{0x89, 'G', 'F', 'S', '\r', '\n', 0x1A, '\n', 0x00, 0xFE, 0xED, 0x05}

// BytesEqual compares the end of the input with a signature that is not a constant.
func BytesEqual(b []byte) bool {
	return len(b) >= len(signature) && bytes.Equal(b[len(b)-len(signature):], signature)
}

// Decimal compares a number after turning it from text.
func Decimal(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n == 1789236450
}

// OffByOne computes with the input before it compares: the constant itself does not fit.
func OffByOne(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	x := binary.LittleEndian.Uint32(b)
	y := binary.BigEndian.Uint32(b[4:])
	return x+1 == Want32 && y-1 == Want32
}

// CRC32 wants the checksum of the payload before it.
func CRC32(b []byte) bool {
	return len(b) >= 12 && binary.BigEndian.Uint32(b) == crc32.ChecksumIEEE(b[4:])
}

// LengthField wants a length that agrees with the input, and a trailer where it says.
func LengthField(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	n := int(binary.BigEndian.Uint32(b))
	return n >= 24 && n == len(b)-5 && b[4+n] == 0xA5
}

// MultiStage is a small packet format: header magic, then length, then checksum, then command.
//
//	"GSEC" | version 3 (LE uint16) | length (BE uint16) | CRC-32 of the payload (LE) | payload
//	payload: command "reboot " and a decimal port
func MultiStage(b []byte) bool {
	const header = 12
	if len(b) < header || string(b[:4]) != "GSEC" {
		return false
	}
	if binary.LittleEndian.Uint16(b[4:]) != 3 {
		return false
	}
	payload := b[header:]
	if int(binary.BigEndian.Uint16(b[6:])) != len(payload) || len(payload) < 8 {
		return false
	}
	if binary.LittleEndian.Uint32(b[8:]) != crc32.ChecksumIEEE(payload) {
		return false
	}
	command, argument, found := strings.Cut(string(payload), " ")
	if !found || command != "reboot" {
		return false
	}
	port, err := strconv.ParseUint(argument, 10, 16)
	return err == nil && port == 50607
}
