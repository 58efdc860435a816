package fuzz

import (
	"bytes"
	"reflect"
	"testing"
)

func TestInputsTravel(t *testing.T) {
	rand := newAgRand(3)
	for round := 0; round < 500; round++ {
		in := mutInput(mutKinds, "", "")
		for i, k := range mutKinds {
			if k.variable() {
				in.splice(i, in.begin(i), in.ends[i], make([]byte, rand.below(40)))
			}
		}
		for i := range in.data {
			in.data[i] = byte(rand.next())
		}
		wire := make([]byte, agWireLen(in))
		agWireEncode(wire, in)
		back := agInput{kinds: mutKinds, data: []byte("what was there before"), ends: []int{9}}
		if !agWireDecode(wire, &back) {
			t.Fatal("refused")
		}
		if !bytes.Equal(back.data, in.data) || !reflect.DeepEqual(back.ends, in.ends) {
			t.Fatalf("%v came back as %v", in, back)
		}
		if len(wire) > 0 && agWireDecode(wire[:len(wire)-1], &back) {
			t.Fatal("an input without its last byte is accepted")
		}
	}
}

func TestWiresThatFitNoInput(t *testing.T) {
	kinds := []agKind{{agBytes, 0}, {agSigned, 2}, {agString, 0}}
	wire := func(ends [3]uint32, data int) []byte {
		b := make([]byte, 12+data)
		for i, end := range ends {
			agPut32(b[4*i:], end)
		}
		return b
	}
	in := agInput{kinds: kinds}
	if !agWireDecode(wire([3]uint32{1, 3, 5}, 5), &in) {
		t.Fatal("a proper input is refused")
	}
	for name, b := range map[string][]byte{
		"nothing":            {},
		"half the ends":      make([]byte, 7),
		"past the end":       wire([3]uint32{1, 3, 6}, 5),
		"backwards":          wire([3]uint32{3, 5, 4}, 5),
		"a scalar too big":   wire([3]uint32{1, 4, 5}, 5),
		"a scalar too small": wire([3]uint32{1, 2, 5}, 5),
		"an end of 2^32-1":   wire([3]uint32{1<<32 - 1, 3, 5}, 5),
	} {
		if agWireDecode(b, &in) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNumbersAreLittleEndian(t *testing.T) {
	var b [8]byte
	agPut64(b[:], 0x0807060504030201)
	if b != [8]byte{1, 2, 3, 4, 5, 6, 7, 8} || agGet64(b[:]) != 0x0807060504030201 || agGet32(b[4:]) != 0x08070605 {
		t.Errorf("%v", b)
	}
}

func TestReaderEndsInZeroes(t *testing.T) {
	r := agReader{b: []byte{1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7}}
	if r.u32() != 1 || r.u64() != 2 || r.bad {
		t.Fatal("numbers are misread")
	}
	if got := r.bytes(1); len(got) != 1 || got[0] != 7 || cap(got) != 1 {
		t.Fatalf("bytes gives %v of capacity %d", got, cap(got))
	}
	for name, read := range map[string]func(r *agReader) bool{
		"u32":   func(r *agReader) bool { return r.u32() == 0 },
		"u64":   func(r *agReader) bool { return r.u64() == 0 },
		"bytes": func(r *agReader) bool { return r.bytes(1<<63) == nil },
	} {
		r := agReader{b: []byte{1, 2, 3}}
		if !read(&r) || !r.bad || !read(&r) || r.u32() != 0 {
			t.Errorf("%s past the end gives more than zeroes", name)
		}
	}
}

func TestARecordThatDoesNotFitIsNotThere(t *testing.T) {
	s := newCoreSim(t, 40, nil, nil)
	w := &s.out
	w.begin(agRecordToken)
	w.text("0123456789") // 8 + 4 + 10 bytes
	if !w.end() || *s.mem.word(agWordResultsLen) != 22 {
		t.Fatalf("length is %d, want 22", *s.mem.word(agWordResultsLen))
	}
	w.begin(agRecordToken)
	w.text("0123456") // one byte more than there is
	if w.end() || *s.mem.word(agWordResultsLen) != 22 {
		t.Error("a record that does not fit was completed")
	}
	w.begin(agRecordAgain)
	if w.end() {
		t.Error("records go on behind one that was lost")
	}
	w.full = false
	w.begin(agRecordToken)
	w.text("012345") // 18 bytes are left
	if !w.end() || *s.mem.word(agWordResultsLen) != 40 {
		t.Error("a record that fits exactly was refused")
	}
}

func TestEveryFieldMayBeTheOneThatDoesNotFit(t *testing.T) {
	in := simBytes("data")
	for size := 1; size < 64; size++ {
		s := newCoreSim(t, size, nil, nil)
		s.out.begin(agRecordFind)
		s.out.u32(1)
		s.out.u64(2)
		s.out.list([]uint32{3, 4})
		s.out.text("text")
		s.out.input(in)
		const whole = 8 + 4 + 8 + 12 + 8 + 12
		if got := s.out.end(); got != (size >= whole) {
			t.Errorf("%d bytes for a record of %d: complete is %v", size, whole, got)
		}
	}
}

func TestMemoryIsOpenedWithinItsBounds(t *testing.T) {
	var mem agMemory
	if mem.open(make([]byte, 4095)) || mem.open(make([]byte, 8192)) {
		t.Error("a region without areas was opened")
	}
	region := coreRegion(64)
	if !mem.open(region) || len(mem.results) != 64 || cap(mem.results) != 64 {
		t.Error("a proper region was refused")
	}
	for _, hostile := range [][2]uint64{
		{uint64(len(region)), 1}, {uint64(len(region)) + 1, 1}, {0, uint64(len(region)) + 1},
		{1 << 63, 1 << 63}, {8, 1<<64 - 1}, {4096, 0},
	} {
		region := coreRegion(64)
		view := agMemory{region: region}
		*view.word(agWordResultsAt), *view.word(agWordResultsCap) = hostile[0], hostile[1]
		if mem.open(region) {
			t.Errorf("an area at %d of %d bytes was opened", hostile[0], hostile[1])
		}
	}
}
