package jobrunner

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// locate returns the path of a name that a job used, below the runner's directory.
//
// Every component but the last must be a directory that exists, and must not be a symbolic link, so
// the path cannot leave the directory. The last may be missing or be anything; whoever opens it
// refuses what is not a regular file. This holds while nobody else rearranges the directory during
// the run (Go 1.21 has no os.Root); opening with O_NOFOLLOW narrows what is left.
func (r *run) locate(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	for i := 0; i < len(name); i++ {
		if name[i] != '/' {
			continue
		}
		info, err := os.Lstat(r.dir + "/" + name[:i])
		if err != nil {
			return "", err
		}
		if !info.IsDir() {
			return "", fmt.Errorf("%q is not a directory", name[:i])
		}
	}
	return r.dir + "/" + name, nil
}

// checkName refuses names that are not plain relative paths of a bounded length.
func checkName(name string) error {
	for depth, rest := 1, name; ; depth++ {
		part, tail, more := strings.Cut(rest, "/")
		switch {
		case part == "":
			return fmt.Errorf("%q: absolute paths and empty components are not allowed", name)
		case part == "." || part == "..":
			return fmt.Errorf("%q: . and .. are not allowed", name)
		case len(part) > MaxName:
			return fmt.Errorf("%q: a component has at most %d bytes", name, MaxName)
		case depth > MaxDepth:
			return fmt.Errorf("%q: a path has at most %d components", name, MaxDepth)
		}
		for i := range part {
			if c := part[i]; c < ' ' || c == '\\' || c == ':' || c == 0x7f {
				return fmt.Errorf("%q: a path cannot hold %q", name, c)
			}
		}
		if !more {
			return nil
		}
		rest = tail
	}
}

var (
	errLocks        = fmt.Errorf("a job holds at most %d locks", MaxLocks)
	errNotDirectory = errors.New("not a directory")
	errNotRegular   = errors.New("not a regular file")
	errSame         = errors.New("both are the same file")
	errTooLarge     = fmt.Errorf("a file has at most %d bytes", MaxFile)
)

// open opens a regular file that is small enough, or a new one if flag has os.O_CREATE. It never
// opens a fifo, a socket or a symbolic link: opening one could block or lead elsewhere.
func (r *run) open(name string, flag int) (*os.File, error) {
	path, err := r.locate(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil:
		if err := checkRegular(info); err != nil {
			return nil, err
		}
	case !os.IsNotExist(err) || flag&os.O_CREATE == 0:
		return nil, err
	}
	return os.OpenFile(path, flag|noFollow, 0o600)
}

func checkRegular(info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	if info.Size() > MaxFile {
		return errTooLarge
	}
	return nil
}
