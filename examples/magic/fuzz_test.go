package magic

import "testing"

// One fuzz test for each puzzle. A puzzle counts as solved when its test fails.

func FuzzNestedBytes(f *testing.F) {
	f.Add([]byte("some bytes"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if NestedBytes(b) {
			t.Fatal("solved: NestedBytes")
		}
	})
}

func FuzzString30(f *testing.F) {
	f.Add("hello")
	f.Fuzz(func(t *testing.T, s string) {
		if String30(s) {
			t.Fatal("solved: String30")
		}
	})
}

func FuzzStringInside(f *testing.F) {
	f.Add(make([]byte, 48))
	f.Fuzz(func(t *testing.T, b []byte) {
		if StringInside(b) {
			t.Fatal("solved: StringInside")
		}
	})
}

func FuzzSwitchString(f *testing.F) {
	f.Add("hello")
	f.Fuzz(func(t *testing.T, s string) {
		if SwitchString(s) {
			t.Fatal("solved: SwitchString")
		}
	})
}

func FuzzMapLookup(f *testing.F) {
	f.Add("hello")
	f.Fuzz(func(t *testing.T, s string) {
		if MapLookup(s) {
			t.Fatal("solved: MapLookup")
		}
	})
}

func FuzzInt16LE(f *testing.F) {
	f.Add([]byte("0123456789"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Int16LE(b) {
			t.Fatal("solved: Int16LE")
		}
	})
}

func FuzzInt16BE(f *testing.F) {
	f.Add([]byte("0123456789"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Int16BE(b) {
			t.Fatal("solved: Int16BE")
		}
	})
}

func FuzzInt32LE(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Int32LE(b) {
			t.Fatal("solved: Int32LE")
		}
	})
}

func FuzzInt32BE(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Int32BE(b) {
			t.Fatal("solved: Int32BE")
		}
	})
}

func FuzzInt64LE(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Int64LE(b) {
			t.Fatal("solved: Int64LE")
		}
	})
}

func FuzzInt64BE(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Int64BE(b) {
			t.Fatal("solved: Int64BE")
		}
	})
}

func FuzzEqualFold(f *testing.F) {
	f.Add("Accept: text")
	f.Fuzz(func(t *testing.T, s string) {
		if EqualFold(s) {
			t.Fatal("solved: EqualFold")
		}
	})
}

func FuzzHasPrefix(f *testing.F) {
	f.Add("some text that is long enough for it")
	f.Fuzz(func(t *testing.T, s string) {
		if HasPrefix(s) {
			t.Fatal("solved: HasPrefix")
		}
	})
}

func FuzzBytesEqual(f *testing.F) {
	f.Add([]byte("some bytes that are long enough"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if BytesEqual(b) {
			t.Fatal("solved: BytesEqual")
		}
	})
}

func FuzzDecimal(f *testing.F) {
	f.Add("42")
	f.Fuzz(func(t *testing.T, s string) {
		if Decimal(s) {
			t.Fatal("solved: Decimal")
		}
	})
}

func FuzzOffByOne(f *testing.F) {
	f.Add([]byte("01234567"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if OffByOne(b) {
			t.Fatal("solved: OffByOne")
		}
	})
}

func FuzzCRC32(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if CRC32(b) {
			t.Fatal("solved: CRC32")
		}
	})
}

func FuzzLengthField(f *testing.F) {
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		if LengthField(b) {
			t.Fatal("solved: LengthField")
		}
	})
}

func FuzzMultiStage(f *testing.F) {
	f.Add([]byte("packet with a header and some payload"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if MultiStage(b) {
			t.Fatal("solved: MultiStage")
		}
	})
}

func FuzzArgInt(f *testing.F) {
	f.Add(int(1))
	f.Fuzz(func(t *testing.T, v int) {
		if ArgInt(v) {
			t.Fatal("solved: ArgInt")
		}
	})
}

func FuzzArgInt8(f *testing.F) {
	f.Add(int8(1))
	f.Fuzz(func(t *testing.T, v int8) {
		if ArgInt8(v) {
			t.Fatal("solved: ArgInt8")
		}
	})
}

func FuzzArgInt16(f *testing.F) {
	f.Add(int16(1))
	f.Fuzz(func(t *testing.T, v int16) {
		if ArgInt16(v) {
			t.Fatal("solved: ArgInt16")
		}
	})
}

func FuzzArgInt32(f *testing.F) {
	f.Add(int32(1))
	f.Fuzz(func(t *testing.T, v int32) {
		if ArgInt32(v) {
			t.Fatal("solved: ArgInt32")
		}
	})
}

func FuzzArgInt64(f *testing.F) {
	f.Add(int64(1))
	f.Fuzz(func(t *testing.T, v int64) {
		if ArgInt64(v) {
			t.Fatal("solved: ArgInt64")
		}
	})
}

func FuzzArgUint(f *testing.F) {
	f.Add(uint(1))
	f.Fuzz(func(t *testing.T, v uint) {
		if ArgUint(v) {
			t.Fatal("solved: ArgUint")
		}
	})
}

func FuzzArgUint8(f *testing.F) {
	f.Add(uint8(1))
	f.Fuzz(func(t *testing.T, v uint8) {
		if ArgUint8(v) {
			t.Fatal("solved: ArgUint8")
		}
	})
}

func FuzzArgUint16(f *testing.F) {
	f.Add(uint16(1))
	f.Fuzz(func(t *testing.T, v uint16) {
		if ArgUint16(v) {
			t.Fatal("solved: ArgUint16")
		}
	})
}

func FuzzArgUint32(f *testing.F) {
	f.Add(uint32(1))
	f.Fuzz(func(t *testing.T, v uint32) {
		if ArgUint32(v) {
			t.Fatal("solved: ArgUint32")
		}
	})
}

func FuzzArgUint64(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, v uint64) {
		if ArgUint64(v) {
			t.Fatal("solved: ArgUint64")
		}
	})
}

func FuzzArgFloat32(f *testing.F) {
	f.Add(float32(1))
	f.Fuzz(func(t *testing.T, v float32) {
		if ArgFloat32(v) {
			t.Fatal("solved: ArgFloat32")
		}
	})
}

func FuzzArgFloat64(f *testing.F) {
	f.Add(float64(1))
	f.Fuzz(func(t *testing.T, v float64) {
		if ArgFloat64(v) {
			t.Fatal("solved: ArgFloat64")
		}
	})
}

func FuzzArgNaN(f *testing.F) {
	f.Add(1.0)
	f.Fuzz(func(t *testing.T, v float64) {
		if ArgNaN(v) {
			t.Fatal("solved: ArgNaN")
		}
	})
}

func FuzzArgRune(f *testing.F) {
	f.Add('a')
	f.Fuzz(func(t *testing.T, v rune) {
		if ArgRune(v) {
			t.Fatal("solved: ArgRune")
		}
	})
}

func FuzzArgString(f *testing.F) {
	f.Add(false, "hello")
	f.Fuzz(func(t *testing.T, yes bool, s string) {
		if ArgString(yes, s) {
			t.Fatal("solved: ArgString")
		}
	})
}

func FuzzArgBytes(f *testing.F) {
	f.Add([]byte("bytes"), int32(3), "hello")
	f.Fuzz(func(t *testing.T, b []byte, n int32, s string) {
		if ArgBytes(b, n, s) {
			t.Fatal("solved: ArgBytes")
		}
	})
}
