package agenttargets

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

func later(t *testing.T, text string) {
	t.Helper()
	t.Cleanup(func() { t.Log(text) })
}

// tempDir uses a folder that must be gone when the execution is over.
func tempDir(t *testing.T) {
	dir := t.TempDir()
	if again := t.TempDir(); again == dir {
		t.Errorf("expected another folder than %s", dir)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o600); err != nil {
		t.Error(err)
	}
	gone = append(gone, dir, filepath.Dir(dir))
}

func init() {
	register(map[string]func(t *testing.T, f *testing.F){
		"cleanup":       func(t *testing.T, f *testing.F) { later(t, "nobody sees this") },
		"cleanup-order": func(t *testing.T, f *testing.F) { later(t, "second"); later(t, "first"); t.Error("failed") },
		"cleanup-fails": func(t *testing.T, f *testing.F) { t.Cleanup(func() { t.Error("in cleanup") }) },
		"cleanup-helper": func(t *testing.T, f *testing.F) {
			t.Cleanup(func() { helper(t) })
		},
		"cleanup-panics":  func(t *testing.T, f *testing.F) { later(t, "still"); t.Cleanup(func() { Boom("boom") }) },
		"cleanup-failnow": func(t *testing.T, f *testing.F) { later(t, "still"); t.Cleanup(t.FailNow) },
		"cleanup-goexit":  func(t *testing.T, f *testing.F) { later(t, "still"); t.Cleanup(runtime.Goexit) },
		"cleanup-skips":   func(t *testing.T, f *testing.F) { later(t, "still"); t.Cleanup(t.SkipNow) },
		"cleanup-nested": func(t *testing.T, f *testing.F) {
			t.Cleanup(func() { t.Cleanup(func() { t.Error("nested") }); t.Log("outer") })
		},
		"cleanup-fatal":         func(t *testing.T, f *testing.F) { later(t, "cleaned"); t.Fatal("fatal") },
		"cleanup-skip":          func(t *testing.T, f *testing.F) { t.Cleanup(func() { t.Error("cleaned") }); t.Skip() },
		"cleanup-exit":          func(t *testing.T, f *testing.F) { later(t, "cleaned"); runtime.Goexit() },
		"cleanup-panic":         func(t *testing.T, f *testing.F) { later(t, "cleaned"); Boom("boom") },
		"cleanup-panic2":        func(t *testing.T, f *testing.F) { t.Cleanup(func() { Boom("two") }); Boom("one") },
		"cleanup-panic-failnow": func(t *testing.T, f *testing.F) { t.Cleanup(t.FailNow); Boom("boom") },
		"cleanup-error-failnow": func(t *testing.T, f *testing.F) {
			t.Cleanup(runtime.Goexit)
			defer t.Error("while it panics")
			Boom("boom")
		},
		"cleanup-failed": func(t *testing.T, f *testing.F) {
			t.Cleanup(func() { t.Logf("failed: %t", t.Failed()) })
			defer t.Error("deferred")
			Boom("boom")
		},
		"cleanup-run": func(t *testing.T, f *testing.F) {
			t.Cleanup(func() { t.Run("late", func(t *testing.T) {}) })
		},

		"tempdir":       func(t *testing.T, f *testing.F) { tempDir(t) },
		"tempdir-fatal": func(t *testing.T, f *testing.F) { tempDir(t); t.Fatal("fatal") },
		"tempdir-panic": func(t *testing.T, f *testing.F) { tempDir(t); Boom("boom") },
		"setenv":        func(t *testing.T, f *testing.F) { t.Setenv("PWD", "x"); t.Setenv("OF_MINE", "y") },
		"setenv-panic":  func(t *testing.T, f *testing.F) { t.Setenv("OF_MINE", "y"); Boom(os.Getenv("OF_MINE")) },
		"setenv-parallel": func(t *testing.T, f *testing.F) {
			t.Setenv("OF_MINE", "y")
			t.Parallel()
		},

		"run": func(t *testing.T, f *testing.F) {
			ran := false
			if !t.Run("sub", func(t *testing.T) { ran = true }) || !ran {
				t.Error("expected the subtest to run and pass")
			}
		},
		"run-names": func(t *testing.T, f *testing.F) {
			for _, want := range []string{"/a", "/a#01", "/b_c"} {
				t.Run(want[1:2]+map[string]string{"/b_c": " c"}[want], func(sub *testing.T) {
					if sub.Name() != t.Name()+want {
						t.Errorf("expected %s to end in %s", sub.Name(), want)
					}
				})
			}
			t.SkipNow()
		},
		"run-fail": func(t *testing.T, f *testing.F) {
			ok := t.Run("sub", func(t *testing.T) { t.Error("in sub") })
			t.Log(ok, t.Failed())
		},
		"run-fatal":  func(t *testing.T, f *testing.F) { t.Run("sub", func(t *testing.T) { t.Fatal("in sub") }) },
		"run-skip":   func(t *testing.T, f *testing.F) { t.Run("sub", func(t *testing.T) { t.Skip("in sub") }) },
		"run-panic":  func(t *testing.T, f *testing.F) { t.Run("sub", func(t *testing.T) { Boom("in sub") }) },
		"run-goexit": func(t *testing.T, f *testing.F) { t.Run("sub", func(t *testing.T) { runtime.Goexit() }) },
		"run-nested": func(t *testing.T, f *testing.F) {
			t.Run("one", func(t *testing.T) {
				later(t, "one is cleaned")
				t.Run("two", func(t *testing.T) { later(t, "two is cleaned"); helper(t) })
				t.Log("after two")
			})
		},
		"run-cleanup":  func(t *testing.T, f *testing.F) { t.Run("sub", func(t *testing.T) { tempDir(t) }) },
		"run-parent":   func(t *testing.T, f *testing.F) { t.Run("sub", func(*testing.T) { t.FailNow() }); t.Log("never") },
		"run-skips":    func(t *testing.T, f *testing.F) { t.Run("sub", func(*testing.T) { t.SkipNow() }); t.Log("never") },
		"run-parallel": func(t *testing.T, f *testing.F) { parallel(t, 3, func(t *testing.T, i int) {}) },
		"run-parallel-fail": func(t *testing.T, f *testing.F) {
			later(t, "last")
			parallel(t, 3, func(t *testing.T, i int) {
				if i == 1 {
					t.Error("in parallel")
				}
			})
			t.Log("before they run")
		},
		"run-parallel-panic": func(t *testing.T, f *testing.F) {
			parallel(t, 1, func(t *testing.T, i int) { Boom("in parallel") })
		},
		"run-parallel-late": func(t *testing.T, f *testing.F) {
			var mu sync.Mutex
			n := 0
			parallel(t, 4, func(t *testing.T, i int) { mu.Lock(); n++; mu.Unlock() })
			t.Cleanup(func() {
				if n != 4 {
					t.Errorf("expected 4 subtests before cleanup, found %d", n)
				}
			})
			t.FailNow()
		},
		"run-parallel-dies": func(t *testing.T, f *testing.F) {
			parallel(t, 1, func(t *testing.T, i int) {})
			t.Cleanup(func() { Boom("nobody catches this") })
		},
		"run-parallel-nested": func(t *testing.T, f *testing.F) {
			parallel(t, 2, func(t *testing.T, i int) {
				parallel(t, 2, func(t *testing.T, j int) {
					if i+j == 2 {
						t.Error("deep")
					}
				})
			})
		},
	})
}

func parallel(t *testing.T, n int, do func(t *testing.T, i int)) {
	for i := 0; i < n; i++ {
		i := i
		t.Run(string(rune('a'+i)), func(t *testing.T) { t.Parallel(); do(t, i) })
	}
}
