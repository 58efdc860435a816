package jobrunner

import (
	"io"
	"os"
	"strconv"
	"time"
)

// write replaces or extends a file. Flags: a append, x only if new, r reserve the space first, v a
// whole line, in one gathered write, s wait for the disk.
func (r *run) write(s *step) error {
	flag, text := os.O_WRONLY|os.O_CREATE, s.text(1)
	switch {
	case s.verb == verbAppend || s.flags.has('a'):
		flag |= os.O_APPEND
	case s.flags.has('x'):
		flag |= os.O_EXCL
	default:
		flag |= os.O_TRUNC
	}
	f, err := r.open(s.args[0], flag)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if s.flags.has('v') {
		text += "\n"
	}
	if info.Size()+int64(len(text)) > MaxFile {
		return errTooLarge
	}
	if s.flags.has('r') {
		if err := reserve(f, info.Size(), int64(len(text)), false); err != nil {
			return err
		}
	}
	if s.flags.has('v') {
		err = writeGathered(f, text)
	} else {
		_, err = f.WriteString(text)
	}
	if err == nil && s.flags.has('s') {
		if err = r.takeSync(); err == nil {
			err = syncFile(f)
		}
	}
	return err
}

// read prints a file. Flags: m map it, t only the last 16 bytes, a announce a sequential read.
func (r *run) read(s *step) error {
	f, err := r.open(s.args[0], os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if s.flags.has('m') {
		text, err := readMapped(f, info.Size())
		if err != nil {
			return err
		}
		return r.print(text)
	}
	if s.flags.has('t') {
		from := info.Size() - 16
		if from < 0 {
			from = 0
		}
		return r.printFrom(io.NewSectionReader(f, from, 16))
	}
	if s.flags.has('a') {
		if err := adviseSequential(f); err != nil {
			return err
		}
	}
	return r.printFrom(f)
}

// printFrom prints what src has, at most what the output has room for.
func (r *run) printFrom(src io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(src, MaxOutput+1))
	if err != nil {
		return err
	}
	return r.print(string(text))
}

// copy copies a file. Flags say how: k by the kernel's copy_file_range, f by sendfile, p by splice
// through a pipe; else through a buffer.
func (r *run) copy(s *step) error {
	src, err := r.open(s.args[0], os.O_RDONLY)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := r.checkOther(src, s.args[1]); err != nil {
		return err
	}
	dst, err := r.open(s.args[1], os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer dst.Close()
	switch {
	case s.flags.has('k'):
		return copyRange(dst, src)
	case s.flags.has('f'):
		return copySend(dst, src)
	case s.flags.has('p'):
		return copySplice(dst, src)
	}
	// A plain struct hides the *os.File, so that io.Copy really uses its buffer.
	_, err = io.Copy(struct{ io.Writer }{dst}, io.LimitReader(src, MaxFile))
	return err
}

// checkOther fails if a name is that of the open file, or of another link to it: truncating the copy
// would then lose the original.
func (r *run) checkOther(f *os.File, name string) error {
	path, err := r.locate(name)
	if err != nil {
		return err
	}
	there, err := os.Lstat(path)
	if err != nil {
		return nil // not there, or whoever opens it will say what is wrong
	}
	own, err := f.Stat()
	if err != nil {
		return err
	}
	if os.SameFile(own, there) {
		return errSame
	}
	return nil
}

// move renames. Flags: n not over an existing file, x exchange the two.
func (r *run) move(s *step) error {
	from, err := r.locate(s.args[0])
	if err != nil {
		return err
	}
	to, err := r.locate(s.args[1])
	if err != nil {
		return err
	}
	if s.flags.has('n') {
		return renameNoReplace(from, to)
	}
	if s.flags.has('x') {
		return renameExchange(from, to)
	}
	return os.Rename(from, to)
}

// link makes a hard link, or with s a symbolic one. Nothing in a job ever follows symbolic links;
// the target must still be a name that a job may use, so that nobody else is led astray.
func (r *run) link(s *step) error {
	to, err := r.locate(s.args[1])
	if err != nil {
		return err
	}
	if s.flags.has('s') {
		if err := checkName(s.args[0]); err != nil {
			return err
		}
		return os.Symlink(s.args[0], to)
	}
	from, err := r.locate(s.args[0])
	if err != nil {
		return err
	}
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	return os.Link(from, to)
}

// remove deletes a file or an empty directory; with r, a directory and all that is in it.
func (r *run) remove(s *step) error {
	path, err := r.locate(s.args[0])
	if err != nil {
		return err
	}
	if s.flags.has('r') {
		return os.RemoveAll(path)
	}
	return os.Remove(path)
}

// mkdir makes a directory; with p, those above it too, and none of them need be new.
func (r *run) mkdir(s *step) error {
	name := s.args[0]
	if s.flags.has('p') {
		for i := 0; i < len(name); i++ {
			if name[i] == '/' {
				if err := r.mkdirOne(name[:i], true); err != nil {
					return err
				}
			}
		}
	}
	return r.mkdirOne(name, s.flags.has('p'))
}

func (r *run) mkdirOne(name string, mayExist bool) error {
	path, err := r.locate(name)
	if err != nil {
		return err
	}
	err = os.Mkdir(path, 0o700)
	if mayExist && os.IsExist(err) {
		return nil
	}
	return err
}

// list prints the names in a directory, in order; with l, kind and size before each.
func (r *run) list(s *step) error {
	path := r.dir
	if s.arg(0) != "" {
		var err error
		if path, err = r.locate(s.args[0]); err != nil {
			return err
		}
		if info, err := os.Lstat(path); err != nil {
			return err
		} else if !info.IsDir() {
			return errNotDirectory
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if s.flags.has('l') {
			info, err := e.Info()
			if err != nil {
				return err
			}
			if err := r.printInfo(info); err != nil {
				return err
			}
		}
		if err := r.print(e.Name(), "\n"); err != nil {
			return err
		}
	}
	return nil
}

// stat prints kind and size. Flags: l where a symbolic link points, a whether we may write, x the
// kernel's extended answer.
func (r *run) stat(s *step) error {
	path, err := r.locate(s.args[0])
	if err != nil {
		return err
	}
	if s.flags.has('l') {
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return r.print(target, "\n")
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if s.flags.has('a') {
		if !info.Mode().IsRegular() {
			return errNotRegular
		}
		return checkWritable(path)
	}
	if s.flags.has('x') {
		kind, err := extendedStat(path)
		if err != nil {
			return err
		}
		return r.print(kind, "\n")
	}
	return r.printInfo(info)
}

// printInfo prints nothing that depends on when or where the job runs.
func (r *run) printInfo(info os.FileInfo) error {
	size := "-"
	if info.Mode().IsRegular() {
		size = strconv.FormatInt(info.Size(), 10)
	}
	return r.print(info.Mode().String(), " ", size, "\n")
}

// chmod sets a file's or directory's permissions, octal. The owner's own are never taken away and
// setuid and the like never given. With f it goes through an open file.
func (r *run) chmod(s *step) error {
	mode, err := strconv.ParseUint(s.args[1], 8, 32)
	if err != nil {
		return err
	}
	bits := os.FileMode(mode)&0o777 | 0o600
	if s.flags.has('f') {
		f, err := r.open(s.args[0], os.O_RDONLY)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Chmod(bits)
	}
	path, err := r.locate(s.args[0])
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return os.Chmod(path, bits|0o700)
	case !info.Mode().IsRegular():
		return errNotRegular
	}
	return os.Chmod(path, bits)
}

// touch makes a file if there is none and sets its times to a number of seconds since 1970, 0 if
// not given: jobs leave the same directory behind whenever they run.
func (r *run) touch(s *step) error {
	var seconds int64
	if s.arg(1) != "" {
		var err error
		if seconds, err = number(s.args[1], 1<<32); err != nil {
			return err
		}
	}
	f, err := r.open(s.args[0], os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	f.Close()
	when := time.Unix(seconds, 0)
	return os.Chtimes(r.dir+"/"+s.args[0], when, when)
}

// truncate sets a file's size; with f through an open file.
func (r *run) truncate(s *step) error {
	size, err := number(s.args[1], MaxFile)
	if err != nil {
		return err
	}
	f, err := r.open(s.args[0], os.O_WRONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.flags.has('f') {
		return f.Truncate(size)
	}
	return os.Truncate(r.dir+"/"+s.args[0], size)
}

// lock takes an exclusive lock on a file, made if missing, and keeps it until the job ends. Flags: s
// shared, p the POSIX kind. A lock that somebody else holds is an error, not a wait.
func (r *run) lock(s *step) error {
	if len(r.locks) == MaxLocks {
		return errLocks
	}
	f, err := r.open(s.args[0], os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	r.locks = append(r.locks, f)
	if s.flags.has('p') {
		return lockRange(f, s.flags.has('s'))
	}
	return lockFile(f, s.flags.has('s'))
}
