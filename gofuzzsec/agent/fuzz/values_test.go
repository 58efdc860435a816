package fuzz

import (
	"math"
	"reflect"
	"testing"
)

func TestValuesOfEveryType(t *testing.T) {
	types := []reflect.Kind{
		reflect.Slice, reflect.String, reflect.Bool, reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64,
	}
	want := []any{
		[]byte("bytes"), "string", true, false,
		int(-1), int8(-128), int16(-2), int32(math.MinInt32), int64(math.MinInt64),
		uint(math.MaxUint64), uint8(200), uint16(65535), uint32(1 << 31), uint64(1 << 63),
		float32(0.5), float64(-2.5),
	}
	in := &agInput{}
	for i, v := range want {
		k := agKindOf(types[i])
		in.kinds = append(in.kinds, k)
		var data []byte
		switch v := reflect.ValueOf(v); k.class {
		case agBytes:
			data = v.Bytes()
		case agString:
			data = []byte(v.String())
		case agBool:
			data = []byte{byte(agBit(v.Bool()))}
		default:
			bits := uint64(0)
			switch k.class {
			case agSigned:
				bits = uint64(v.Int())
			case agUnsigned:
				bits = v.Uint()
			case agFloat:
				bits = math.Float64bits(v.Float())
				if k.width == 4 {
					bits = uint64(math.Float32bits(float32(v.Float())))
				}
			}
			for ; len(data) < int(k.width); bits >>= 8 {
				data = append(data, byte(bits))
			}
		}
		in.data = append(in.data, data...)
		in.ends = append(in.ends, len(in.data))
	}
	got := make([]any, len(types))
	agValues(got, types, in)
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("argument %d is %T %v, want %T %v", i, got[i], got[i], want[i], want[i])
		}
	}
}

func TestFloatsKeepTheirBits(t *testing.T) {
	for _, bits := range []uint64{0x7ff8000000000001, 0xfff0000000000123, 1, 1 << 63} {
		if got := math.Float64bits(agScalar(reflect.Float64, bits).(float64)); got != bits {
			t.Errorf("%#x came out as %#x", bits, got)
		}
	}
	if got := math.Float32bits(agScalar(reflect.Float32, 0x7fc12345).(float32)); got != 0x7fc12345 {
		t.Errorf("a NaN came out as %#x", got)
	}
}

func TestAppendingToAnArgumentLeavesTheNextAlone(t *testing.T) {
	types := []reflect.Kind{reflect.Slice, reflect.Slice}
	in := mutInput([]agKind{{agBytes, 0}, {agBytes, 0}}, "one", "two")
	values := make([]any, 2)
	agValues(values, types, in)
	_ = append(values[0].([]byte), "overwritten"...)
	if string(values[1].([]byte)) != "two" {
		t.Errorf("the second argument is %q", values[1])
	}
}

func TestOtherTypesHaveNoValue(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a value of a chan was made")
		}
	}()
	agScalar(reflect.Chan, 0)
}
