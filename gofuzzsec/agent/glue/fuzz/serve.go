package fuzz

import (
	"fmt"
	"reflect"
	"syscall"
)

// agWanted reports whether this worker is to be an agent. Without a coordinator that speaks to one
// the binary is an ordinary fuzz worker.
func agWanted() bool { return syscall.GofuzzsecAgent }

// The functions that package testing hands over, as plain types since it cannot name ours.
type (
	agDriveFunc  = func(prepare func() []any, after func(), judge func(failed bool, text string) bool)
	agLoopFunc   = func(inputs [][]any)
	agLogsFunc   = func(keep bool) (lost bool)
	agAttachFunc = func(types []reflect.Type, drive agDriveFunc, loop agLoopFunc, logs agLogsFunc)
)

// agServe runs the agent instead of ws.serve until the coordinator closes the pipe.
func agServe(ws *workerServer) error {
	var types []reflect.Kind
	host := agHost{
		resetCalls: syscall.GofuzzsecReset,
		calls:      syscall.GofuzzsecMarks,
		traceCalls: syscall.GofuzzsecTrace,
		callers:    agCallers,
	}
	if syscall.GofuzzsecWatched() {
		host.outside = syscall.GofuzzsecOutside
	}
	attach := func(t []reflect.Type, drive agDriveFunc, loop agLoopFunc, logs agLogsFunc) {
		for _, each := range t {
			types = append(types, each.Kind())
		}
		host.drive, host.loop, host.logs = drive, loop, logs
	}
	if _, err := ws.fuzzFn(CorpusEntry{Values: []any{agAttachFunc(attach)}}); err != nil {
		return err
	}
	if host.drive == nil {
		return fmt.Errorf("expected package testing to hand over the fuzz function")
	}
	shared := <-ws.memMu
	defer func() { ws.memMu <- shared }()
	var mem agMemory
	if !mem.open(shared.region) {
		return fmt.Errorf("expected shared memory with a header, an input, a request and a results area")
	}
	// What ran so far is not the fuzz function's doing, so it must not stand for the first caller.
	syscall.GofuzzsecForgetAll()
	syscall.GofuzzsecReset()
	core := newAgCore(host, mem, coverage(), syscall.GofuzzsecFeatures(), types)
	return core.serve(int(ws.fuzzIn.Fd()), int(ws.fuzzOut.Fd()))
}

// agCallers describes the traced system calls of an execution: "complete" when that is all of them,
// then for each feature, values and stack a line "feature N count C values V" and the frames,
// "function file:line", innermost first. Where values are not told, the line ends before them.
func agCallers() string {
	calls, complete := syscall.GofuzzsecTraced()
	var b []byte
	if complete {
		b = append(b, "complete\n"...)
	}
	for _, call := range calls {
		b = append(b, fmt.Sprintf("feature %d count %d", call.Feature, call.Count)...)
		if call.Told {
			b = append(b, fmt.Sprintf(" values %d", call.Values)...)
		}
		b = append(b, '\n')
		b = syscall.GofuzzsecLines(call.Stack, b)
	}
	return string(b)
}
