package fuzz

import (
	"reflect"
	"strings"
	"testing"
)

// coreSim is a process around a core: counters that a simulated target increments, and memory laid
// out as a coordinator does. The target owns both only while it is called.
type coreSim struct {
	*agCore
	counters []byte
	target   func(s *coreSim, values []any) (failed bool, text string)
	made     []uint32 // system call features of the execution
	unseen   []uint32 // those of made that only the kernel saw
	watched  bool     // callers of system calls are recorded
	keepLogs bool     // as the agent asked; a target that drops its log sets lost
	lost     bool
	runs     int
}

const (
	coreCallFeatures = 64
	coreInputCap     = 1 << 16
	coreRequestCap   = 1 << 20
)

// coreRegion returns shared memory with a results area of that many bytes.
func coreRegion(results int) []byte {
	region := make([]byte, 4096+coreInputCap+coreRequestCap+results)
	mem := agMemory{region: region}
	at := uint64(4096)
	for i, size := range [...]int{coreInputCap, coreRequestCap, results} {
		*mem.word(agWordInputAt + 2*i) = at
		*mem.word(agWordInputCap + 2*i) = uint64(size)
		at += uint64(size)
	}
	return region
}

// newCoreSim makes a core for a target that takes arguments of these types.
func newCoreSim(t *testing.T, results int, types []reflect.Kind, target func(s *coreSim, values []any) (bool, string)) *coreSim {
	t.Helper()
	agCmpUnmuteAll()
	s := &coreSim{counters: make([]byte, 333), target: target}
	host := agHost{
		drive: s.drive,
		loop: func(inputs [][]any) {
			for _, values := range inputs {
				s.target(s, values)
			}
		},
		logs: func(keep bool) (lost bool) {
			lost, s.lost, s.keepLogs = s.lost, false, keep
			return lost
		},
		resetCalls: func() { s.made, s.unseen = s.made[:0], s.unseen[:0] },
		calls:      func(to []uint32) []uint32 { return append(to, s.made...) },
		traceCalls: func(on bool) { s.watched = on },
		callers: func() string {
			var b strings.Builder
			for _, f := range s.made {
				b.WriteByte('0' + byte(f))
			}
			return b.String()
		},
	}
	var mem agMemory
	if !mem.open(coreRegion(results)) {
		t.Fatal("the region is refused")
	}
	s.agCore = newAgCore(host, mem, s.counters, coreCallFeatures, types)
	return s
}

func (s *coreSim) drive(prepare func() []any, after func(), judge func(bool, string) bool) {
	for {
		values := prepare()
		if values == nil {
			return
		}
		s.runs++
		failed, text := s.target(s, values)
		after()
		if judge(failed, text) {
			return
		}
	}
}

// coreBytes is a core whose target takes one []byte.
func coreBytes(t *testing.T, target func(s *coreSim, data []byte) (bool, string)) *coreSim {
	return newCoreSim(t, 1<<20, []reflect.Kind{reflect.Slice}, func(s *coreSim, values []any) (bool, string) {
		return target(s, values[0].([]byte))
	})
}

// coreRecord is one record of the results area, fields still to be read.
type coreRecord struct {
	kind uint32
	agReader
}

func (s *coreSim) records(t *testing.T) (records []coreRecord) {
	t.Helper()
	r := agReader{b: s.mem.results[:*s.mem.word(agWordResultsLen)]}
	for len(r.b) > 0 {
		kind, length := r.u32(), r.u32()
		body := r.bytes(uint64(length) - 8)
		if r.bad {
			t.Fatal("the results area ends within a record")
		}
		records = append(records, coreRecord{kind, agReader{b: body}})
	}
	return records
}

// of returns those records that are of one kind.
func (s *coreSim) of(t *testing.T, kind uint32) (records []coreRecord) {
	t.Helper()
	for _, r := range s.records(t) {
		if r.kind == kind {
			records = append(records, r)
		}
	}
	return records
}

// coreFind is an agRecordFind taken apart.
type coreFind struct {
	number, parent uint64
	features       []uint32
	fresh          []uint32
	input          agInput
	callers        string
}

func (r *agReader) coreList() (list []uint32) {
	for n := r.u32(); n > 0 && !r.bad; n-- {
		list = append(list, r.u32())
	}
	return list
}

func (r *agReader) coreText() string { return string(r.bytes(uint64(r.u32()))) }

func (s *coreSim) findings(t *testing.T) (finds []coreFind) {
	t.Helper()
	for _, r := range s.of(t, agRecordFind) {
		f := coreFind{number: uint64(r.u32()), parent: r.u64()}
		r.u64() // nanoseconds
		f.features, f.fresh = r.coreList(), r.coreList()
		f.input.kinds = s.kinds
		if !agWireDecode([]byte(r.coreText()), &f.input) {
			t.Fatal("the input of a find does not fit its kinds")
		}
		f.callers = r.coreText()
		if r.bad || len(r.b) != 0 {
			t.Fatal("a find's record has other fields than expected")
		}
		finds = append(finds, f)
	}
	return finds
}

func coreHas(list []uint32, want uint32) bool { return agContains(list, want) }

// corePlan is a plan request in the making; zero values are left out of it.
type corePlan struct {
	seed, limit, nanoseconds, flags, maxLen, solveBudget uint64
	known, tokens                                        []byte
	items                                                []coreItem
}

type coreItem struct {
	id     uint64
	energy uint32
	solve  bool
	input  *agInput
}

func put32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

func put64(b []byte, v uint64) []byte { return put32(put32(b, uint32(v)), uint32(v>>32)) }

func (p corePlan) body() (b []byte) {
	if p.maxLen == 0 {
		p.maxLen = 1000
	}
	for _, v := range []uint64{p.seed, p.limit, p.nanoseconds, p.flags, p.maxLen, p.solveBudget} {
		b = put64(b, v)
	}
	b = put64(b, uint64(len(p.items)))
	b = append(put64(b, uint64(len(p.known))), p.known...)
	b = append(put64(b, uint64(len(p.tokens))), p.tokens...)
	for _, item := range p.items {
		b = put32(put32(put64(b, item.id), item.energy), agBit(item.solve))
		wire := make([]byte, agWireLen(item.input))
		agWireEncode(wire, item.input)
		b = append(put32(b, uint32(len(wire))), wire...)
	}
	return b
}

// ask puts a request into memory and has it answered.
func (s *coreSim) ask(kind uint64, body []byte) bool {
	copy(s.mem.request, body)
	*s.mem.word(agWordRequest) = kind
	*s.mem.word(agWordRequestLen) = uint64(len(body))
	return s.answer()
}

func (s *coreSim) plan(t *testing.T, p corePlan) {
	t.Helper()
	if !s.ask(agRequestPlan, p.body()) {
		t.Fatal("the plan is refused")
	}
}

func (s *coreSim) end() uint64 { return *s.mem.word(agWordEnd) }
