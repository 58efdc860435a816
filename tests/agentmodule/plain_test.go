package agenttargets

import (
	"errors"
	"io"
	"log"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

func bits32(v float32) uint32 { return math.Float32bits(v) }
func bits64(v float64) uint64 { return math.Float64bits(v) }

// helper fails where it is called, not where it says so.
func helper(t *testing.T) {
	t.Helper()
	t.Log("from a helper")
	t.FailNow()
}

type custom struct{ code int }

// thread is the one that the case lock-thread kept to itself.
var thread int

// left are goroutines that an execution left behind; release lets them go on.
var (
	release = make(chan bool)
	left    = make(chan bool)
)

func leave(do func()) {
	go func() {
		<-release
		do()
		left <- true
	}()
}

func init() {
	register(map[string]func(t *testing.T, f *testing.F){
		"clean": func(t *testing.T, f *testing.F) {
			if t.Failed() || t.Skipped() {
				t.Error("expected a fresh T")
			}
			if now := look(); now.dir != before.dir {
				t.Errorf("expected to be in %s, found %s", before.dir, now.dir)
			} else if now.environ != before.environ {
				t.Error("expected the environment as it was")
			}
			if name := t.Name(); strings.Contains(strings.TrimPrefix(name, "FuzzCases/"), "#") {
				t.Errorf("expected the name of the fuzz test, found %q", name)
			}
			for _, dir := range gone {
				if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("expected %s to be gone, found %v", dir, err)
				}
			}
			if thread != 0 && syscall.Gettid() == thread {
				t.Error("expected another thread than the locked one")
			}
		},
		"environment": func(t *testing.T, f *testing.F) {
			for _, each := range append(os.Environ(), strings.Split(before.environ, "\n")...) {
				if strings.HasPrefix(each, "GOFUZZSEC_AGENT") {
					t.Errorf("expected no variable of the fuzzer, found %s", each)
				}
			}
		},
		"error":         func(t *testing.T, f *testing.F) { t.Error("one"); t.Errorf("%s", "two") },
		"fatal":         func(t *testing.T, f *testing.F) { t.Fatal("at once"); t.Error("never") },
		"fatalf":        func(t *testing.T, f *testing.F) { defer t.Log("deferred"); t.Fatalf("%d", 1) },
		"fail":          func(t *testing.T, f *testing.F) { t.Fail() },
		"failnow":       func(t *testing.T, f *testing.F) { t.FailNow() },
		"helper":        func(t *testing.T, f *testing.F) { helper(t) },
		"multiline":     func(t *testing.T, f *testing.F) { t.Error("first\nsecond\n  third\n") },
		"log":           func(t *testing.T, f *testing.F) { t.Log("nobody sees this") },
		"log-then-fail": func(t *testing.T, f *testing.F) { t.Log("before"); t.Fail(); t.Log("after") },
		"skip":          func(t *testing.T, f *testing.F) { t.Skip("no"); t.Error("never") },
		"skipnow":       func(t *testing.T, f *testing.F) { t.SkipNow() },
		"skipf":         func(t *testing.T, f *testing.F) { t.Skipf("%d", 1) },
		"fail-skip":     func(t *testing.T, f *testing.F) { t.Error("failed"); t.Skip("then skipped") },
		"skip-deferred": func(t *testing.T, f *testing.F) { defer t.Error("in a defer"); t.SkipNow() },
		"goexit":        func(t *testing.T, f *testing.F) { runtime.Goexit() },
		"deadline": func(t *testing.T, f *testing.F) {
			if at, ok := t.Deadline(); ok && time.Until(at) < 0 {
				t.Error("expected a deadline to come")
			}
		},
		"f-name": func(t *testing.T, f *testing.F) {
			if f.Name() != "FuzzCases" || !strings.HasPrefix(t.Name(), "FuzzCases") {
				t.Errorf("found %s and %s", f.Name(), t.Name())
			}
		},
		"f-failed": func(t *testing.T, f *testing.F) {
			if f.Failed() {
				t.Error("expected no failure before")
			}
			t.Error("now")
			if !f.Failed() {
				t.Error("expected F to know")
			}
		},
		"f-not-failed": func(t *testing.T, f *testing.F) {
			if f.Failed() {
				t.Error("expected no failure before")
			}
		},
		"f-log":     func(t *testing.T, f *testing.F) { f.Log("not allowed") },
		"f-cleanup": func(t *testing.T, f *testing.F) { f.Cleanup(func() {}) },
		"exit-0":    func(t *testing.T, f *testing.F) { os.Exit(0) },
		"exit-3":    func(t *testing.T, f *testing.F) { os.Exit(3) },
		"log-fatal": func(t *testing.T, f *testing.F) { log.Fatal("the end") },
		"overflow":  func(t *testing.T, f *testing.F) { debug.SetMaxStack(1 << 22); Endless(0) },
		"hang":      func(t *testing.T, f *testing.F) { Forever() },
		"kill":      func(t *testing.T, f *testing.F) { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); Forever() },
		"abort":     func(t *testing.T, f *testing.F) { _ = syscall.Kill(os.Getpid(), syscall.SIGABRT); Forever() },
		"parallel":  func(t *testing.T, f *testing.F) { t.Parallel() },
		"parallel-fail": func(t *testing.T, f *testing.F) {
			t.Parallel()
			t.Fatal("in parallel")
		},
		"lock-thread": func(t *testing.T, f *testing.F) {
			runtime.LockOSThread()
			thread = syscall.Gettid()
		},
		"race": func(t *testing.T, f *testing.F) {
			n, done := 0, make(chan bool)
			go func() { n++; done <- true }()
			n++
			<-done
			io.WriteString(io.Discard, string(rune(n)))
		},

		"goroutine-panic":   func(t *testing.T, f *testing.F) { go Boom("elsewhere"); Forever() },
		"goroutine-failnow": func(t *testing.T, f *testing.F) { other(func() { t.FailNow() }) },
		"goroutine-error":   func(t *testing.T, f *testing.F) { other(func() { t.Error("elsewhere") }) },
		"leave-quiet":       func(t *testing.T, f *testing.F) { leave(func() {}) },
		"leave-log":         func(t *testing.T, f *testing.F) { leave(func() { t.Log("too late") }) },
		"leave-error":       func(t *testing.T, f *testing.F) { leave(func() { t.Error("too late") }) },
		"leave-run": func(t *testing.T, f *testing.F) {
			t.Cleanup(func() {})
			leave(func() { t.Error("too late") })
		},
		"release": func(t *testing.T, f *testing.F) { release <- true; <-left },

		"panic-string":  func(t *testing.T, f *testing.F) { Boom("boom") },
		"panic-error":   func(t *testing.T, f *testing.F) { Boom(errors.New("an error\nof two lines")) },
		"panic-custom":  func(t *testing.T, f *testing.F) { Boom(custom{3}) },
		"panic-nil":     func(t *testing.T, f *testing.F) { panic(nil) },
		"panic-map":     func(t *testing.T, f *testing.F) { var m map[string]int; m["x"] = 1 },
		"panic-index":   func(t *testing.T, f *testing.F) { s := []int{}; _ = s[len(t.Name())] },
		"panic-pointer": func(t *testing.T, f *testing.F) { var c *custom; c.code = 1 },
		"panic-deep":    func(t *testing.T, f *testing.F) { deeper(500, "far down") },
		"panic-caught":  func(t *testing.T, f *testing.F) { defer func() { _ = recover() }(); Boom("caught") },
		"panic-again": func(t *testing.T, f *testing.F) {
			defer func() { panic("again") }()
			Boom("first")
		},
		"panic-repeated": func(t *testing.T, f *testing.F) {
			defer func() { Boom(recover()) }()
			Boom("first")
		},
		"panic-then-error": func(t *testing.T, f *testing.F) {
			defer t.Error("while it panics")
			Boom("boom")
		},
		"panic-then-failnow": func(t *testing.T, f *testing.F) {
			defer t.FailNow()
			Boom("lost")
		},
		"panic-then-goexit": func(t *testing.T, f *testing.F) {
			defer runtime.Goexit()
			Boom("lost")
		},
		"error-then-panic": func(t *testing.T, f *testing.F) { t.Error("first"); Boom("then") },
	})
}

// other does it on another goroutine and waits until that has ended.
func other(do func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		do()
	}()
	<-done
}
