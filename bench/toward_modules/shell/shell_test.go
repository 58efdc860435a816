package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// FuzzShell runs any text as a shell script in an empty folder. No program is started.
func FuzzShell(f *testing.F) {
	for _, seed := range []string{
		"echo hello",
		"x=1; echo $x > f; cat < f",
		"if [ -e f ]; then echo yes; else echo no; fi",
		"for i in a b c; do echo $i; done | read x",
		"cd .; pwd; f() { return 1; }; f || true",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	refuse := func(ctx context.Context, args []string) error { return errors.New("refused") }
	f.Fuzz(func(t *testing.T, text string) {
		file, err := syntax.NewParser().Parse(strings.NewReader(text), "")
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		open := func(ctx context.Context, path string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
			if strings.ContainsAny(path, "/.") || interp.HandlerCtx(ctx).Dir != dir {
				return nil, os.ErrPermission
			}
			return interp.DefaultOpenHandler()(ctx, path, flag, perm)
		}
		r, err := interp.New(interp.Dir(dir), interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return refuse }),
			interp.OpenHandler(open), interp.Env(expand.ListEnviron("HOME="+dir)), interp.StdIO(nil, io.Discard, io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		r.Run(ctx, file)
		empty(t, dir)
	})
}

func empty(t *testing.T, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		os.RemoveAll(dir + "/" + e.Name())
	}
}
