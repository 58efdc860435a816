package jobrunner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamesThatLeaveAreRefused(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "inner")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"/etc/passwd", "..", "../x", "a/../../x", ".", "./x", "a//b", "a/", `""`, `a\b`, "c:x",
		"a/b/c/d/e", strings.Repeat("n", MaxName+1), "a\x01", "a\x00b",
	}
	for _, name := range names {
		for _, verb := range []string{"write %s x", "mkdir -p %s", "remove -r %s", "copy a %s", "move a %s"} {
			text := strings.Replace(verb, "%s", name, 1)
			if _, err := tryRun(t, dir, "write a text\n"+text); err == nil {
				t.Errorf("%q was run", text)
			}
		}
	}
	entries, err := os.ReadDir(outer)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the directory: %v, %v", entries, err)
	}
}

// A symbolic link that somebody left in the directory leads nowhere: not as the file itself, and not
// on the way to it.
func TestSymbolicLinksAreNotFollowed(t *testing.T) {
	outer := t.TempDir()
	dir, secret := filepath.Join(outer, "inner"), filepath.Join(outer, "secret")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"file": secret, "dir": outer} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	for _, text := range []string{
		"read file", "write file x", "append file x", "truncate file 0", "touch file", "chmod file 777",
		"copy file x", "lock file", "list dir",
		"read dir/secret", "write dir/new x", "remove dir/secret", "move dir/secret x", "mkdir dir/new",
	} {
		if out, err := tryRun(t, dir, text); err == nil {
			t.Errorf("%q was run and printed %q", text, out)
		}
	}
	mustRun(t, dir, "remove -r dir\nremove file")
	data, err := os.ReadFile(secret)
	if err != nil || string(data) != "secret" {
		t.Errorf("the file outside holds %q, %v", data, err)
	}
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file outside is %v, %v", info, err)
	}
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	for _, text := range []string{"mkdir d\nread d", "mkdir d\nwrite d x", "mkdir d\nlock d"} {
		if _, err := tryRun(t, t.TempDir(), text); !errors.Is(err, errNotRegular) {
			t.Errorf("%q: %v, want %v", text, err, errNotRegular)
		}
	}
}
