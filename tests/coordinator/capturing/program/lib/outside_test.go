package lib_test

import (
	"testing"

	"example.org/captured/lib"
)

func TestOutside(t *testing.T) {
	if lib.Step(1) != 2 {
		t.Fatal("wrong")
	}
	lib.Run()
}
