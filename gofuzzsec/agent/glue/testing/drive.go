package testing

import (
	"reflect"
	"runtime"
	"strings"
	"syscall"
)

// agentRunner executes a fuzz function over and over for the agent in internal/fuzz. An execution
// that neither fails, nor registers a cleanup, nor starts subtests needs none of what tRunner does
// at its end, so it is called directly on a goroutine that lives on. Whatever else happens is handed
// to tRunner, with the same T, so that it ends as it would have under tRunner alone.
//
// drive is called by one goroutine at a time, and owns the runner until it returns.
type agentRunner struct {
	f       *F
	call    func(t *T, values []any)
	runner  string // name of call: where the search for a log line's caller ends
	creator []uintptr
	lean    bool // false: every execution goes through tRunner, as race detection needs

	prepare func() []any
	after   func()
	judge   func(failed bool, text string) bool

	start chan struct{} // a drive begins
	done  chan struct{} // it is over

	// The execution under way.
	t        *T
	failed   bool
	captured strings.Builder
}

// agentDrive recognises the entry by which the agent asks for the fuzz function, and hands it over.
func (f *F) agentDrive(fn reflect.Value, types []reflect.Type, e corpusEntry) bool {
	if len(e.Values) != 1 {
		return false
	}
	attach, ok := e.Values[0].(func(
		[]reflect.Type,
		func(func() []any, func(), func(bool, string) bool),
		func([][]any),
		func(bool) bool,
	))
	if !ok {
		return false
	}
	call := agentCall(fn)
	r := &agentRunner{
		f:       f,
		call:    call,
		runner:  pcToName(reflect.ValueOf(call).Pointer()),
		creator: agentCreator(),
		lean:    !agentRace,
		start:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	f.w = &r.captured
	go r.run(false)
	attach(types, r.drive, r.loop, r.logs)
	return true
}

// agentMute drops what T.Log and T.Logf are given, and agentLost tells that it did. Only a failed
// execution's log is ever read, and making log lines takes some targets most of their time: the agent
// repeats an execution that failed with its log kept. Not locked: they change between executions, and
// what a goroutine left behind sees of that does no harm.
var agentMute, agentLost bool

// logs says whether the next executions' logs are kept, and returns whether one was lost since the
// last call.
func (r *agentRunner) logs(keep bool) (lost bool) {
	lost = agentLost
	agentMute, agentLost = !keep && r.lean, false
	return lost
}

// agentMuted is asked by Log and Logf. A test that is done has to panic as it always does.
func (c *common) agentMuted() bool {
	if !agentMute || c.done {
		return false
	}
	agentLost = true
	return true
}

// agentCreator returns the stack from F.Fuzz on. It is where the line of a log entry is looked for
// when the fuzz function is a helper itself.
func agentCreator() []uintptr {
	var pc [maxStackLen]uintptr
	n := runtime.Callers(2, pc[:])
	for i := range pc[:n] {
		if pcToName(pc[i]) == "testing.(*F).Fuzz" {
			return pc[i:n:n]
		}
	}
	return pc[:n:n]
}

// agentCall returns how to call the fuzz function; the most common signatures without reflection.
func agentCall(fn reflect.Value) func(t *T, values []any) {
	switch fn := fn.Interface().(type) {
	case func(*T, []byte):
		return func(t *T, values []any) { fn(t, values[0].([]byte)) }
	case func(*T, string):
		return func(t *T, values []any) { fn(t, values[0].(string)) }
	}
	return func(t *T, values []any) {
		args := make([]reflect.Value, 1, 1+len(values))
		args[0] = reflect.ValueOf(t)
		for _, v := range values {
			args = append(args, reflect.ValueOf(v))
		}
		fn.Call(args)
	}
}

// drive executes what prepare returns until that is nil or judge returns true.
func (r *agentRunner) drive(prepare func() []any, after func(), judge func(bool, string) bool) {
	r.prepare, r.after, r.judge = prepare, after, judge
	r.f.common.inFuzzFn, r.f.inFuzzFn = true, true
	r.start <- struct{}{}
	<-r.done
	r.f.common.inFuzzFn, r.f.inFuzzFn = false, false
}

// run is the goroutine of the executions. A fuzz function may end it, as t.FailNow, t.SkipNow and
// runtime.Goexit do; the next one then goes on behind that execution. So it is when the fuzz
// function keeps the thread to itself: such a thread ends with its goroutine.
func (r *agentRunner) run(executed bool) {
	defer func() {
		// A panic that nobody recovers comes by here as well. Nothing must run besides it: the
		// input in shared memory is the one to blame.
		if r.t != nil && r.t.done {
			go r.run(true)
		}
	}()
	for {
		if !executed {
			<-r.start
		}
		for {
			if executed && r.verdict() {
				break
			}
			executed = false
			values := r.prepare()
			if values == nil {
				break
			}
			r.once(values)
			if syscall.GofuzzsecLocked() {
				runtime.Goexit()
			}
			executed = true
		}
		executed = false
		r.done <- struct{}{}
	}
}

// verdict tells the agent how the execution ended; true when it wants no more.
func (r *agentRunner) verdict() bool {
	if !r.failed {
		return r.judge(false, "")
	}
	text := r.captured.String()
	r.captured.Reset()
	r.f.mu.Lock()
	r.f.failed = false // or F.Failed would tell the next execution of this one
	r.f.mu.Unlock()
	return r.judge(true, text)
}

// once executes the fuzz function. It may leave by runtime.Goexit.
func (r *agentRunner) once(values []any) {
	t := agentNewT(r.f, r.creator, r.runner)
	r.t, r.failed = t, false
	if !r.lean {
		r.finish(t, func(t *T) {
			t.runner = r.runner
			defer r.after()
			r.call(t, values)
		})
		return
	}
	returned := false
	defer func() {
		r.after()
		if returned && t.agentQuiet() {
			return
		}
		if returned {
			r.finish(t, func(t *T) { t.runner = r.runner })
			return
		}
		r.abnormal(t, recover())
	}()
	r.call(t, values)
	returned = true
}

// abnormal ends an execution that panicked with value or, when that is nil, left by Goexit. It runs
// on top of the stack that the panic left, which is what tRunner then prints.
func (r *agentRunner) abnormal(t *T, value any) {
	if value == nil {
		if t.finished && t.agentQuiet() {
			return // skipped
		}
		r.finish(t, func(t *T) {
			t.runner = r.runner
			if !t.finished {
				runtime.Goexit()
			}
		})
		return
	}
	defer r.forgetOwnPanic() // a cleanup may end the goroutine
	r.finish(t, func(t *T) {
		t.runner = r.runner
		panic(value)
	})
}

// finish lets tRunner run fn and do all that it does when a test ends. That, and fn, may end the
// goroutine.
func (r *agentRunner) finish(t *T, fn func(*T)) {
	defer func() {
		r.failed = t.Failed()
		agentForget(r.f)
	}()
	tRunner(t, fn)
}

// forgetOwnPanic takes the frames from the panic that abnormal repeated down to the one of the
// fuzz function out of the text.
func (r *agentRunner) forgetOwnPanic() {
	const mark = "panic({"
	text := r.captured.String()
	own := agentLine(text, "testing.(*agentRunner).abnormal", 0)
	if own < 0 {
		return
	}
	first := -1
	for at := agentLine(text, mark, 0); at >= 0 && at < own; at = agentLine(text, mark, at+1) {
		first = at
	}
	next := agentLine(text, mark, own)
	if first < 0 || next < 0 {
		return
	}
	r.captured.Reset()
	r.captured.WriteString(text[:first])
	r.captured.WriteString(text[next:])
}

// agentLine returns where, from on, the first line starts that begins with mark behind any spaces;
// -1 when none does.
func agentLine(text, mark string, from int) int {
	for at := from; at < len(text); at++ {
		if at > 0 && text[at-1] != '\n' {
			continue
		}
		if strings.HasPrefix(strings.TrimLeft(text[at:], " "), mark) {
			return at
		}
	}
	return -1
}

// agentQuiet reports whether a test whose function has ended needs nothing more, and marks it done:
// what is left behind of it must not find it usable.
func (t *T) agentQuiet() bool {
	t.mu.RLock()
	quiet := !t.failed && len(t.cleanups) == 0 && len(t.sub) == 0 && !t.hasSub.Load()
	t.mu.RUnlock()
	if quiet {
		t.agentEnd()
		t.done = true
	}
	return quiet
}

// loop calls the fuzz function once with each of inputs and does nothing else that could be left
// out. An input that ends the goroutine is passed over.
func (r *agentRunner) loop(inputs [][]any) {
	t := agentNewT(r.f, r.creator, r.runner)
	at := 0
	for at < len(inputs) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { recover() }()
			for at < len(inputs) {
				at++
				r.call(t, inputs[at-1])
			}
		}()
		<-done
	}
}
