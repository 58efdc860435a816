package fuzz

import (
	"math"
	"reflect"
)

// agValues fills values with what the fuzz function is to be called with. A []byte aliases in.data,
// clipped so that appending to it leaves the next argument alone.
func agValues(values []any, types []reflect.Kind, in *agInput) {
	for i, t := range types {
		b := in.arg(i)
		switch t {
		case reflect.Slice:
			values[i] = b[:len(b):len(b)]
		case reflect.String:
			values[i] = string(b)
		default:
			values[i] = agScalar(t, agLittle(b))
		}
	}
}

// agLittle reads up to 8 bytes as a little-endian number.
func agLittle(b []byte) uint64 {
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

func agScalar(t reflect.Kind, v uint64) any {
	switch t {
	case reflect.Bool:
		return v&1 != 0
	case reflect.Int:
		return int(v)
	case reflect.Int8:
		return int8(v)
	case reflect.Int16:
		return int16(v)
	case reflect.Int32:
		return int32(v)
	case reflect.Int64:
		return int64(v)
	case reflect.Uint:
		return uint(v)
	case reflect.Uint8:
		return uint8(v)
	case reflect.Uint16:
		return uint16(v)
	case reflect.Uint32:
		return uint32(v)
	case reflect.Uint64:
		return v
	case reflect.Float32:
		return math.Float32frombits(uint32(v))
	case reflect.Float64:
		return math.Float64frombits(v)
	}
	panic("internal/fuzz: an argument of kind " + t.String())
}
