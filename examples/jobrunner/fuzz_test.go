package jobrunner

import (
	"os"
	"testing"
)

// FuzzRun runs any text as a job, in a directory that is empty at the start of every execution.
func FuzzRun(f *testing.F) {
	for _, seed := range []string{
		"echo hello",
		"write -a log one\nread log",
		"mkdir out\nwrite out/a text\nlist out",
		"write a text\nmove a b\nstat b",
		"repeat 2\nrepeat 2\nappend log x\nend\nend",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		job, err := Parse(text)
		if err != nil {
			return
		}
		if job.Len() > MaxSteps {
			t.Fatalf("a job of %d steps was accepted", job.Len())
		}
		defer empty(t, dir)
		out, err := Run(dir, job, Options{Hook: []string{"/bin/true"}})
		if len(out) > MaxOutput {
			t.Fatalf("a job printed %d bytes", len(out))
		}
		if _, ok := err.(*StepError); err != nil && !ok {
			t.Fatalf("Run answered with a %T: %v", err, err)
		}
	})
}

// empty removes what a job left in dir.
func empty(t *testing.T, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(dir + "/" + e.Name()); err != nil {
			t.Fatal(err)
		}
	}
}
