package fuzz

import "unsafe"

// The shared memory. The coordinator lays it out and owns it between a reply and the next request;
// the agent owns it from request to reply. gofuzzsec/worker/agent_wire.py is the other side.
//
// It begins with a header of 64-bit words, then come three areas at the offsets given there: the
// input under execution, the request's body, and the records that the request brings.
const (
	agWordCount       = iota // executions begun since the request
	agWordInputLen           // bytes of the input under execution
	agWordMagic              // agMagic, once the agent runs
	agWordCounters           // coverage counters of the binary
	agWordCalls              // system call features
	agWordArgs               // arguments of the fuzz function; their kinds are at agKindsAt
	agWordRequest            // what is asked: agRequestBatch, …
	agWordRequestLen         // bytes of the request's body
	agWordResultsLen         // bytes of complete records
	agWordEnd                // why a plan ended: agEndDone, …
	agWordHavocRuns          // executions of each kind
	agWordSolveRuns          //
	agWordTrimRuns           //
	agWordConfirmRuns        //
	agWordInputAt            // offset and size of the areas
	agWordInputCap           //
	agWordRequestAt          //
	agWordRequestCap         //
	agWordResultsAt          //
	agWordResultsCap         //
	agWordStop               // the coordinator sets it to end a plan early
	agWordWatched            // 1 if the kernel marks system calls for this process as well
	agWords
)

const (
	agMagic   = 0x6167667a73656304 // changes with the layout
	agKindsAt = 1024               // bytes: class, width for each argument
	agMaxArgs = 1024
)

// What can be asked.
const (
	agRequestBatch = 1 // run exact inputs
	agRequestPlan  = 2 // fuzz entries
	agRequestLoop  = 3 // run exact inputs again and again with nothing around them, for bench/
)

// Why a plan ended.
const (
	agEndDone  = 0 // every item had its energy
	agEndLimit = 1 // executions
	agEndTime  = 2
	agEndFull  = 3 // the results area
	agEndStop  = 4 // the coordinator asked for it
)

// Kinds of records.
const (
	agRecordFind      = 1
	agRecordFail      = 2
	agRecordSolved    = 3
	agRecordAgain     = 4 // sights of a failure reported before
	agRecordItem      = 5 // what an item took and brought
	agRecordResult    = 6 // of one input of a batch
	agRecordToken     = 7 // learnt for the dictionary
	agRecordIncidence = 8 // how many executions had each system call feature
)

// agMemory is the agent's view of the shared memory.
type agMemory struct {
	region  []byte
	input   []byte
	request []byte
	results []byte
}

// word returns one word of the header. Shared with the coordinator: count and stop are looked at
// while the other side may write.
func (m *agMemory) word(i int) *uint64 { return (*uint64)(unsafe.Pointer(&m.region[8*i])) }

// open takes the areas from the header; false when they do not fit the region.
func (m *agMemory) open(region []byte) bool {
	if len(region) < 4096 {
		return false
	}
	m.region = region
	area := func(at, size int) []byte {
		from, n := *m.word(at), *m.word(size)
		if n == 0 || from > uint64(len(region)) || n > uint64(len(region))-from {
			return nil
		}
		return region[from : from+n : from+n]
	}
	m.input = area(agWordInputAt, agWordInputCap)
	m.request = area(agWordRequestAt, agWordRequestCap)
	m.results = area(agWordResultsAt, agWordResultsCap)
	return m.input != nil && m.request != nil && m.results != nil
}

// An input travels as the ends of its arguments, 32 bits each, then its data.

// agWireLen returns how many bytes in takes.
func agWireLen(in *agInput) int { return 4*len(in.ends) + len(in.data) }

// agWireEncode writes in to the begin of to, which must be long enough.
func agWireEncode(to []byte, in *agInput) {
	for i, end := range in.ends {
		agPut32(to[4*i:], uint32(end))
	}
	copy(to[4*len(in.ends):], in.data)
}

// agWireDecode reads what agWireEncode wrote; in has its kinds already. False when it does not fit them.
func agWireDecode(from []byte, in *agInput) bool {
	n := len(in.kinds)
	if len(from) < 4*n {
		return false
	}
	data := from[4*n:]
	in.ends = in.ends[:0]
	last := 0
	for i, kind := range in.kinds {
		end := int(agGet32(from[4*i:]))
		if end < last || end > len(data) || !kind.variable() && end-last != int(kind.width) {
			return false
		}
		in.ends = append(in.ends, end)
		last = end
	}
	in.data = append(in.data[:0], data[:last]...)
	return true
}

func agPut32(b []byte, v uint32) {
	_ = b[3]
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

func agPut64(b []byte, v uint64) {
	agPut32(b, uint32(v))
	agPut32(b[4:], uint32(v>>32))
}

func agGet32(b []byte) uint32 {
	_ = b[3]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func agGet64(b []byte) uint64 { return uint64(agGet32(b)) | uint64(agGet32(b[4:]))<<32 }

// agReader takes a request's body apart. Reading past its end gives zeroes and sets bad.
type agReader struct {
	b   []byte
	bad bool
}

func (r *agReader) u64() uint64 {
	if len(r.b) < 8 {
		r.bad, r.b = true, nil
		return 0
	}
	v := agGet64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *agReader) u32() uint32 {
	if len(r.b) < 4 {
		r.bad, r.b = true, nil
		return 0
	}
	v := agGet32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *agReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// agWriter appends records to the results area. A record that does not fit sets full and is not
// there at all: the header's length moves only when a record is complete.
type agWriter struct {
	mem  *agMemory
	at   int
	from int
	full bool
}

// begin starts a record of the given kind.
func (w *agWriter) begin(kind uint32) {
	w.from = w.at
	w.u32(kind)
	w.u32(0) // the record's length, filled in by end
}

// end completes the record; false when it did not fit and was taken back.
func (w *agWriter) end() bool {
	if w.full {
		w.at = w.from
		return false
	}
	agPut32(w.mem.results[w.from+4:], uint32(w.at-w.from))
	*w.mem.word(agWordResultsLen) = uint64(w.at)
	return true
}

func (w *agWriter) room(n int) []byte {
	if w.full || n > len(w.mem.results)-w.at {
		w.full = true
		return nil
	}
	b := w.mem.results[w.at : w.at+n]
	w.at += n
	return b
}

func (w *agWriter) u32(v uint32) {
	if b := w.room(4); b != nil {
		agPut32(b, v)
	}
}

func (w *agWriter) u64(v uint64) {
	if b := w.room(8); b != nil {
		agPut64(b, v)
	}
}

func (w *agWriter) list(features []uint32) {
	w.u32(uint32(len(features)))
	if b := w.room(4 * len(features)); b != nil {
		for i, f := range features {
			agPut32(b[4*i:], f)
		}
	}
}

func (w *agWriter) text(s string) {
	w.u32(uint32(len(s)))
	if b := w.room(len(s)); b != nil {
		copy(b, s)
	}
}

func (w *agWriter) input(in *agInput) {
	n := agWireLen(in)
	w.u32(uint32(n))
	if b := w.room(n); b != nil {
		agWireEncode(b, in)
	}
}
