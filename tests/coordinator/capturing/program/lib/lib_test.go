package lib

import (
	"fmt"
	"os"
	"testing"
)

func TestFiles(t *testing.T) { Files(t.TempDir()) }

func TestTouch(t *testing.T) {
	t.Run("one", func(t *testing.T) { Touch() })
	t.Run("two", func(t *testing.T) {
		t.Parallel()
		Touch()
	})
}

func TestPid(t *testing.T) {
	if PidToo() != os.Getpid()+1 {
		t.Fatal("wrong")
	}
}

func TestFailsWhenAsked(t *testing.T) {
	if os.Getenv("CAPTURED_FAIL") != "" {
		t.Fatal("as asked")
	}
}

func ExampleStep() {
	fmt.Println(Step(1))
	// Output: 2
}
