package files

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
)

// FuzzFiles runs lines such as "chmod a 600" on afero's file system, shut into an empty folder.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		"mkdir a\nwrite a/b text\nread a/b",
		"write a text\nstat a\nlist .",
		"write a text\nremove a",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	fs := afero.NewBasePathFs(afero.NewOsFs(), dir)
	f.Fuzz(func(t *testing.T, text string) {
		for i, line := range strings.Split(text, "\n") {
			if i == 16 || run(fs, strings.Fields(line)) != nil {
				break
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			os.RemoveAll(dir + "/" + e.Name())
		}
	})
}

func run(fs afero.Fs, words []string) error {
	if len(words) < 2 {
		return nil
	}
	name, more := words[1], append(words[2:], "")
	number, _ := strconv.ParseInt(more[0], 8, 32)
	switch words[0] {
	case "append":
		file, err := fs.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err = file.WriteString(more[0]); err == nil && number > 0 {
			err = file.Sync()
		}
		return err
	case "chmod":
		return fs.Chmod(name, os.FileMode(number))
	case "chown":
		return fs.Chown(name, int(number), -1)
	case "glob":
		_, err := afero.Glob(fs, name)
		return err
	case "list":
		_, err := afero.ReadDir(fs, name)
		return err
	case "mkdir":
		return fs.MkdirAll(name, 0o700)
	case "patch":
		return patch(fs, name, more[0], number)
	case "read":
		_, err := afero.ReadFile(fs, name)
		return err
	case "remove":
		return fs.Remove(name)
	case "rename":
		return fs.Rename(name, more[0])
	case "stat":
		_, err := fs.Stat(name)
		return err
	case "temporary":
		file, err := afero.TempFile(fs, "", name)
		if err == nil {
			err = file.Close()
		}
		return err
	case "touch":
		return fs.Chtimes(name, time.Unix(number, 0), time.Unix(number, 0))
	case "write":
		return afero.WriteFile(fs, name, []byte(more[0]), 0o600)
	}
	return nil
}

// patch overwrites what is at an offset of a file, and cuts the file there if nothing is given.
func patch(fs afero.Fs, name, text string, at int64) error {
	file, err := fs.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if text == "" {
		return file.Truncate(at)
	}
	if at > 0 {
		if _, err = file.Seek(at, 0); err != nil {
			return err
		}
		_, err = file.WriteAt([]byte(text), at)
		return err
	}
	_, err = file.ReadAt(make([]byte, 4), int64(len(text)))
	return err
}
