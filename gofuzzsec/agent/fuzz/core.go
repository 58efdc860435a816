package fuzz

import (
	"reflect"
	"sync/atomic"
	"time"
)

// agHost is what the agent needs of the process it lives in; the glue provides it.
type agHost struct {
	// drive executes inputs until prepare returns nil or judge returns true. For each it calls
	// prepare, the fuzz function with what that returned, after (when the fuzz function has ended,
	// before cleanup) and judge (when everything has). All three run on a goroutine of the host's.
	drive func(prepare func() []any, after func(), judge func(failed bool, text string) bool)
	// loop calls the fuzz function once with each of inputs, with nothing around the calls.
	loop func(inputs [][]any)
	// logs says whether what the fuzz function logs is kept, and returns whether any of it was lost
	// since it was last called.
	logs func(keep bool) (lost bool)
	// resetCalls forgets the system calls made so far, calls appends the features of those made
	// since. While traceCalls is on each call's stack is recorded, for callers to tell as text.
	resetCalls func()
	calls      func(to []uint32) []uint32
	traceCalls func(on bool)
	callers    func() string
	// outside appends those of made, which calls gave, that this process did not see itself, only the
	// kernel; nil when nobody is told what the kernel sees.
	outside func(to, made []uint32) []uint32
}

// agCore executes inputs and keeps what is new. It belongs to the goroutine that serves requests,
// the brain; while host.drive runs, to the goroutine that drive uses instead.
type agCore struct {
	host   agHost
	mem    agMemory
	out    agWriter
	cov    *agCoverage
	kinds  []agKind
	types  []reflect.Kind
	mut    *agMutator
	solver *agSolver
	budget agBudget
	values []any

	// The execution under way, or the last one.
	input   *agInput
	tracing bool
	timed   bool   // its time is wanted, and who makes its system calls
	callers string // of a timed execution
	quiet   bool   // failures are in the records of a batch, and are none of a plan's
	began   time.Time
	took    time.Duration
	failed  bool
	lost    bool // it failed, and its log is not in text
	loud    bool // its log is wanted
	text    string
	dirty   bool // instrumented code of ours or of cleanups may have run since the last snapshot

	fails      agFails
	tokens     agTold
	doubts     agDoubts
	incidence  agIncidence
	found      []uint32      // scratch of keep
	queue      []*agFind     // finds of this plan that still want their turn
	parent     uint64        // entry that the running executions descend from
	control    *agInput      // an input of the plan that the finds are no part of; nil outside of one
	finds      uint32        // of this plan
	solving    time.Duration // spent on comparisons by this plan
	solveUntil time.Time     // when the comparison stage under way has to end; zero outside of one or without a clock
	spare      agInput
	once       func() []any
	after_     func()
	done       func(bool, string) bool
}

// agFind is an input kept by this plan; number counts the plan's finds from 0.
type agFind struct {
	input  agInput
	number uint32
	parent uint64
}

func newAgCore(host agHost, mem agMemory, counters []byte, callFeatures int, types []reflect.Kind) *agCore {
	c := &agCore{
		host:   host,
		mem:    mem,
		cov:    newAgCoverage(counters, callFeatures),
		types:  types,
		mut:    newAgMutator(1),
		solver: newAgSolver(),
		values: make([]any, len(types)),
		dirty:  true,

		incidence: newAgIncidence(callFeatures),
	}
	for _, t := range types {
		c.kinds = append(c.kinds, agKindOf(t))
	}
	c.out.mem = &c.mem
	c.once = func() []any {
		if c.input == nil {
			return nil
		}
		in := c.input
		c.input = nil
		return c.prepare(in)
	}
	c.after_ = c.after
	c.done = func(failed bool, text string) bool { c.judge(failed, text); return true }
	c.hello()
	return c
}

// hello tells the coordinator what it deals with.
func (c *agCore) hello() {
	*c.mem.word(agWordCounters) = uint64(len(c.cov.counters))
	*c.mem.word(agWordCalls) = uint64((len(c.cov.known) - c.cov.padded) * 8)
	*c.mem.word(agWordArgs) = uint64(len(c.kinds))
	*c.mem.word(agWordWatched) = uint64(agBit(c.host.outside != nil))
	for i, k := range c.kinds {
		if i < agMaxArgs {
			c.mem.region[agKindsAt+2*i] = k.class
			c.mem.region[agKindsAt+2*i+1] = k.width
		}
	}
	*c.mem.word(agWordMagic) = agMagic
}

// prepare makes in the input under execution: from here on a crash finds it in shared memory.
func (c *agCore) prepare(in *agInput) []any {
	if c.dirty {
		c.cov.clear()
		c.dirty = false
	}
	agWireEncode(c.mem.input, in)
	*c.mem.word(agWordInputLen) = uint64(agWireLen(in))
	atomic.AddUint64(c.mem.word(agWordCount), 1)
	c.budget.runs++
	agValues(c.values, c.types, in)
	c.host.resetCalls()
	if c.timed {
		c.callers = ""
		c.host.traceCalls(true)
		c.began = time.Now()
	}
	agCmpOn = c.tracing
	return c.values
}

// after runs when the fuzz function has ended and its cleanup has not begun.
func (c *agCore) after() {
	agCmpOn = false
	if c.timed {
		c.took = time.Since(c.began)
	}
	c.cov.snapshot()
}

// judge takes the verdict on the execution; a failure is reported from here.
func (c *agCore) judge(failed bool, text string) {
	c.cov.calls = c.host.calls(c.cov.calls[:0])
	c.cov.judgeCalls()
	if c.timed {
		c.host.traceCalls(false)
		if len(c.cov.calls) > 0 {
			c.callers = c.host.callers()
			c.dirty = true
		}
	}
	if len(text) > agMostText {
		text = text[:agMostText]
	}
	c.failed, c.text, c.lost = failed, text, false
	if !failed {
		return
	}
	c.dirty = true
	if c.loud {
		return // repeat sees to it
	}
	c.lost = c.host.logs(false)
	if !c.quiet {
		key, first := c.fails.see(text)
		if c.lost = c.lost && first; first && !c.lost {
			c.reportFail(key)
		}
	}
}

// repeat executes in, which failed, once more with its log kept, and reports it then.
func (c *agCore) repeat(in *agInput) {
	text := c.text
	c.host.logs(true)
	c.loud = true
	c.execOnce(in)
	c.loud = false
	c.host.logs(false)
	if !c.failed {
		c.text = text + "    (it did not fail when it was run again, so what it logged is not known)\n"
		c.failed = true
	}
	c.lost = false
	if !c.quiet {
		c.reportFail(agFailKey(text))
	}
}

// exec runs one input, and leaves it as it was also when the fuzz function writes to its arguments.
func (c *agCore) exec(in *agInput) {
	c.execOnce(in)
	if c.lost {
		c.repeat(in)
	}
}

// execOnce is exec without repeating a failure that lost its log.
func (c *agCore) execOnce(in *agInput) {
	c.input = in
	c.host.drive(c.once, c.after_, c.done)
	agWireDecode(c.mem.input[:*c.mem.word(agWordInputLen)], in)
}

// fits reports whether in can be handed over at all.
func (c *agCore) fits(in *agInput) bool { return agWireLen(in) <= len(c.mem.input) }

// -- agMachine, for the solver ------------------------------------------------------------------

// run executes in and keeps it when it brought something new.
func (c *agCore) run(in *agInput) (fresh, ok bool) {
	return c.attempt(in, false)
}

// traced is run with the operands of comparisons recorded.
func (c *agCore) traced(in *agInput) (fresh, ok bool) {
	return c.attempt(in, true)
}

func (c *agCore) attempt(in *agInput, tracing bool) (fresh, ok bool) {
	if c.over() || !c.fits(in) {
		return false, false
	}
	if tracing {
		agCmpReset()
	}
	c.tracing = tracing
	c.exec(in)
	c.tracing = false
	*c.mem.word(agWordSolveRuns)++
	if !c.failed && c.cov.fresh {
		fresh = c.keep(in)
	}
	late := !c.solveUntil.IsZero() && time.Now().After(c.solveUntil)
	return fresh, !late && !c.over()
}

// maxLen is the most bytes an input's data may have.
func (c *agCore) maxLen() int { return c.budget.maxLen }

// token takes a constant that the target compares with into the dictionary.
func (c *agCore) token(t []byte) {
	if c.tokens.add(t) {
		c.mut.addToken(t)
		c.out.begin(agRecordToken)
		c.out.text(string(t))
		c.finish()
	}
}

// finish completes a record. When there is no room for it, it returns false and the plan ends.
func (c *agCore) finish() bool {
	if !c.out.end() {
		c.budget.stop(agEndFull)
		return false
	}
	return true
}

// over reports whether the request must end now.
func (c *agCore) over() bool {
	if c.budget.ended {
		return true
	}
	if atomic.LoadUint64(c.mem.word(agWordStop)) != 0 {
		c.budget.stop(agEndStop)
	}
	c.budget.check()
	return c.budget.ended
}

// reportFail writes the record of a failed execution.
func (c *agCore) reportFail(key uint64) {
	c.out.begin(agRecordFail)
	c.out.u64(key)
	c.out.u64(c.parent)
	c.out.text(c.text)
	n := int(*c.mem.word(agWordInputLen))
	c.out.text(string(c.mem.input[:n]))
	c.finish()
}

// agKindOf returns the kind of an argument of a type that testing.F accepts.
func agKindOf(t reflect.Kind) agKind {
	switch t {
	case reflect.Slice:
		return agKind{agBytes, 0}
	case reflect.String:
		return agKind{agString, 0}
	case reflect.Bool:
		return agKind{agBool, 1}
	case reflect.Int, reflect.Int64:
		return agKind{agSigned, 8}
	case reflect.Int8:
		return agKind{agSigned, 1}
	case reflect.Int16:
		return agKind{agSigned, 2}
	case reflect.Int32:
		return agKind{agSigned, 4}
	case reflect.Uint, reflect.Uint64:
		return agKind{agUnsigned, 8}
	case reflect.Uint8:
		return agKind{agUnsigned, 1}
	case reflect.Uint16:
		return agKind{agUnsigned, 2}
	case reflect.Uint32:
		return agKind{agUnsigned, 4}
	case reflect.Float32:
		return agKind{agFloat, 4}
	case reflect.Float64:
		return agKind{agFloat, 8}
	}
	panic("internal/fuzz: an argument of kind " + t.String())
}
