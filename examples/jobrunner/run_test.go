package jobrunner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mustRun runs a job that has to work, in a new directory or in the one given.
func mustRun(t *testing.T, dir, text string) string {
	t.Helper()
	out, err := tryRun(t, dir, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryRun(t *testing.T, dir, text string) (string, error) {
	t.Helper()
	job, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Run(dir, job, Options{})
	return string(out), err
}

func TestWriteAndRead(t *testing.T) {
	dir := t.TempDir()
	out := mustRun(t, dir, `
		write report "all is well\n"
		append report "still\n"
		write -a report "and now\n"
		read report`)
	if want := "all is well\nstill\nand now\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	data, err := os.ReadFile(filepath.Join(dir, "report"))
	if err != nil || string(data) != out {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

func TestWriteReplaces(t *testing.T) {
	if out := mustRun(t, t.TempDir(), "write a long text\nwrite a short\nread a"); out != "short" {
		t.Errorf("printed %q", out)
	}
}

func TestDirectories(t *testing.T) {
	out := mustRun(t, t.TempDir(), `
		mkdir -p a/b/c
		mkdir -p a/b
		mkdir a/d
		write a/file 12345
		list a
		list -l a
		list`)
	want := "b\nd\nfile\n" + "drwx------ -\nb\ndrwx------ -\nd\n-rw------- 5\nfile\n" + "a\n"
	if out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
}

func TestCopyMoveRemove(t *testing.T) {
	dir := t.TempDir()
	out := mustRun(t, dir, `
		write a text
		copy a b
		move a c
		read b
		read c
		remove b
		mkdir d
		move c d/c
		list
		remove -r d
		list`)
	if want := "texttextd\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	if _, err := tryRun(t, dir, "write a text\ncopy a a"); !errors.Is(err, errSame) {
		t.Errorf("copying a file onto itself: %v", err)
	}
}

func TestAttributes(t *testing.T) {
	dir := t.TempDir()
	out := mustRun(t, dir, `
		touch a 86400
		chmod a 4640
		truncate a 7
		stat a
		mkdir d
		chmod d 0
		stat d`)
	if want := "-rw-r----- 7\ndrwx------ -\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
	mustRun(t, dir, "touch a 86400")
	info, err := os.Stat(filepath.Join(dir, "a"))
	if err != nil || info.ModTime().Unix() != 86400 {
		t.Errorf("touched at %v, %v", info.ModTime(), err)
	}
}

func TestLockIsHeldUntilTheEnd(t *testing.T) {
	dir := t.TempDir()
	// A second lock through another descriptor is refused while the first is held.
	if _, err := tryRun(t, dir, "lock l\nlock l"); err == nil {
		t.Error("locked twice")
	}
	mustRun(t, dir, "lock l")
	if _, err := tryRun(t, dir, "lock a\nlock b\nlock c\nlock d\nlock e"); !errors.Is(err, errLocks) {
		t.Errorf("five locks: %v", err)
	}
}

func TestRepeat(t *testing.T) {
	out := mustRun(t, t.TempDir(), `
		repeat 2
			echo a
			repeat 2
				echo b c
			end
		end`)
	if want := "a\nb c\nb c\na\nb c\nb c\n"; out != want {
		t.Errorf("printed %q, want %q", out, want)
	}
}

func TestErrorsNameTheStep(t *testing.T) {
	out, err := tryRun(t, t.TempDir(), "echo first\nread missing\necho never")
	var failed *StepError
	if !errors.As(err, &failed) || failed.Line != 2 || failed.Verb != "read" || !os.IsNotExist(failed.Err) {
		t.Errorf("failed with %v", err)
	}
	if out != "first\n" {
		t.Errorf("printed %q", out)
	}
	if err != nil && !strings.HasPrefix(err.Error(), "line 2: read: ") {
		t.Errorf("the message is %q", err)
	}
}

func TestLimits(t *testing.T) {
	tests := map[string]string{
		"output":    "truncate big 16384\nread big\nread big",
		"file size": "truncate big 65536\nappend big x",
		"truncate":  "truncate big 65537",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := tryRun(t, t.TempDir(), "touch big\n"+text); err == nil {
				t.Error("no limit")
			}
		})
	}
}
