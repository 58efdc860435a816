//go:build go1.25

package agenttargets

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func init() {
	register(map[string]func(t *testing.T, f *testing.F){
		"output": func(t *testing.T, f *testing.F) {
			fmt.Fprint(t.Output(), "whole\npart")
			t.Error("failed")
			fmt.Fprint(t.Output(), "rest")
		},
		"output-pass": func(t *testing.T, f *testing.F) { fmt.Fprint(t.Output(), "nobody sees this") },
		"output-run": func(t *testing.T, f *testing.F) {
			t.Run("sub", func(t *testing.T) { fmt.Fprint(t.Output(), "in sub"); t.Fail() })
		},
		"synctest": func(t *testing.T, f *testing.F) {
			synctest.Test(t, func(t *testing.T) { time.Sleep(time.Hour); synctest.Wait() })
		},
		"synctest-fail": func(t *testing.T, f *testing.F) {
			synctest.Test(t, func(t *testing.T) { time.Sleep(time.Hour); t.Error("in a bubble") })
		},
		"synctest-fatal": func(t *testing.T, f *testing.F) {
			synctest.Test(t, func(t *testing.T) { t.Fatal("in a bubble") })
		},
		"synctest-panic": func(t *testing.T, f *testing.F) {
			synctest.Test(t, func(t *testing.T) { Boom("in a bubble") })
		},
		"attr": func(t *testing.T, f *testing.F) { t.Attr("a key", "value") },
	})
}
