//go:build go1.24

package agenttargets

import (
	"context"
	"errors"
	"os"
	"testing"
)

func init() {
	register(map[string]func(t *testing.T, f *testing.F){
		"chdir": func(t *testing.T, f *testing.F) { t.Chdir(t.TempDir()) },
		"chdir-panic": func(t *testing.T, f *testing.F) {
			dir := t.TempDir()
			t.Chdir(dir)
			if now, err := os.Getwd(); now != dir || err != nil {
				t.Error(now, err)
			}
			Boom("elsewhere")
		},
		"context": func(t *testing.T, f *testing.F) {
			child, stop := context.WithCancel(t.Context())
			if err := errors.Join(t.Context().Err(), child.Err(), context.Cause(child)); err != nil {
				t.Error(err)
			}
			t.Cleanup(func() {
				defer stop()
				<-t.Context().Done()
				<-child.Done()
				for _, ctx := range []context.Context{t.Context(), child} {
					if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
						t.Errorf("expected it cancelled, found %v, %v", ctx.Err(), context.Cause(ctx))
					}
				}
			})
		},
		"context-late": func(t *testing.T, f *testing.F) {
			ctx := t.Context()
			t.Cleanup(func() {
				if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
					t.Error("expected it cancelled before cleanup")
				}
			})
		},
		"context-leave": func(t *testing.T, f *testing.F) {
			ctx := t.Context()
			leave(func() { <-ctx.Done() })
		},
		"context-sub": func(t *testing.T, f *testing.F) {
			var inner context.Context
			t.Run("sub", func(t *testing.T) { inner = t.Context() })
			if inner.Err() == nil || t.Context().Err() != nil {
				t.Error("expected the context of the subtest alone to be over")
			}
		},
	})
}
