"""One Go program, built in every way that matters to somebody who reads its file."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.toolchain.model import Go

MAIN = """package main

import (
	"encoding/json"
	"os"
	"reflect"
	"runtime"

	"example.org/probe/inner.v2"
)

type Box[T any] struct{ value T }

//go:noinline
func (b *Box[T]) Get() T { mark(); return b.value }

func Map[T any](values []T, f func(T) T) []T {
	for i, value := range values {
		values[i] = f(value)
	}
	return values
}

type frame struct {
	PC       uintptr
	Function string
	File     string
	Line     int
}

var chains [][]frame

// mark notes who called it, as the runtime itself sees it.
//
//go:noinline
func mark() {
	var pcs [32]uintptr
	n := runtime.Callers(2, pcs[:])
	frames, chain := runtime.CallersFrames(pcs[:n]), []frame(nil)
	for i := 0; ; i++ {
		one, more := frames.Next()
		chain = append(chain, frame{pcs[min(i, n-1)], one.Function, one.File, one.Line})
		if !more {
			break
		}
	}
	chains = append(chains, chain)
}

func deepest() { mark() }

func deeper(n int) int {
	deepest()
	return n + 1
}

func deep(n int) int { return deeper(n) * 2 }

//go:noinline
func Outer(n int) int { return deep(n) + deep(n+1) }

//go:noinline
func Switch(n int, s string) (r int) {
	switch n {
	case 0:
		return len(s)
	case 1:
		return inner.Twice(len(s))
	case 2:
		r = 5
	case 3:
		panic(s)
	case 4:
		r = inner.Twice(n)
	case 5:
		return int(s[0])
	case 6:
		r = -1
	case 7:
		return int(s[n])
	case 8:
		return n * len(s)
	}
	defer mark()
	return r
}

type Base struct{ n int }

//go:noinline
func (b *Base) Close() int { mark(); return b.n }

type Derived struct {
	name string
	*Base
}

type closer interface{ Close() int }

//go:noinline
func Recovers(c closer) (n int) {
	defer func() {
		if recover() != nil {
			n = -1
		}
	}()
	return c.Close() + Switch(3, "three")
}

// lines tells where the runtime says that each address of a function belongs.
func lines(f any) (found []frame) {
	start := reflect.ValueOf(f).Pointer()
	for pc := start; ; pc++ {
		if f := runtime.FuncForPC(pc + 1); f == nil || f.Entry() != start {
			return found
		}
		one, _ := runtime.CallersFrames([]uintptr{pc + 1}).Next()
		found = append(found, frame{pc, one.Function, one.File, one.Line})
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

//go:noinline
func end(c chan int) { c <- 1 }

func main() {
	c := make(chan int)
	go end(c)
	n := <-c + Outer(len(os.Args)) + Recovers(&Derived{"d", &Base{1}}) + Switch(2, "")
	n += Map([]int{n}, func(n int) int { return n + (&Box[int]{n}).Get() })[0]
	if n != n+inner.Twice(0) {
		println(n)
	}
	var pcs []frame
	for _, f := range []any{Outer, Switch, Recovers, mark, json.Marshal, os.OpenFile} {
		pcs = append(pcs, lines(f)...)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"Chains": chains, "PCs": pcs})
}
"""
INNER = """// Package inner has a dot in its path, which the linker escapes.
package inner

//go:noinline
func Twice(n int) int { return 2 * n }
"""
CGO = """package main

// static int twice(int n) { return 2 * n; }
import "C"

func main() { println(C.twice(4)) }
"""
COROUTINE = """package main

import "iter"

func main() {
	next, stop := iter.Pull(func(yield func(int) bool) { yield(1) })
	println(next())
	stop()
}
"""
SMALL = "package main\n\nfunc main() { println(1) }\n"


@dataclass(frozen=True, slots=True)
class Source:
    """A folder with modules; what is built goes there, too."""

    folder: Path

    def build(self, go: Go, what: str, name: str, *flags: str, **env: str) -> Path:
        """Build the module *what* as *name* with *flags*, once."""
        out = self.folder / name
        if not out.exists():
            own = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
            own |= {"CGO_ENABLED": "0", **env}
            command = [str(go.path), "build", *flags, "-o", str(out), "."]
            subprocess.run(command, cwd=self.folder / what, env=own, check=True)
        return out


def write_sources(folder: Path) -> Source:
    files = {
        "probe/main.go": MAIN,
        "probe/inner.v2/inner.go": INNER,
        "cgo/main.go": CGO,
        "small/main.go": SMALL,
        "coroutine/main.go": COROUTINE,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for module in ("probe", "cgo", "small"):
        (folder / module / "go.mod").write_text(f"module example.org/{module}\n\ngo 1.21\n")
    (folder / "coroutine" / "go.mod").write_text("module example.org/coroutine\n\ngo 1.23\n")
    return Source(folder)
