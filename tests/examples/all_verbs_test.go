package jobrunner

// What the example's own tests leave out on purpose, so that fuzzing has something to find: the other
// half of the verbs and flags. test_examples.py runs this file inside a copy of the example.

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var hookTrue = Options{Hook: []string{"/bin/true"}}

func runWith(t *testing.T, dir, text string, opts Options) (string, error) {
	t.Helper()
	job, err := Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	out, err := Run(dir, job, opts)
	return string(out), err
}

// works has jobs that must run to their end, and what they print.
var works = []struct{ text, want string }{
	{"write -s a x\nread -m a", "x"},
	{"write -r a xyz\nstat a", "-rw------- 3\n"},
	{"write -v a xyz\nwrite -av a \"\"\nread a", "xyz\n\n"},
	{"write -x a x\nappend -s a y\nread -a a", "xy"},
	{"write a 0123456789abcdefghij\nread -t a\nwrite b 123\nread -t b", "456789abcdefghij123"},
	{"touch a\nread -m a\nread a\ncopy -k a b\ncopy -f a b\ncopy -p a b\nread b", ""},
	{"write a text\ncopy -k a b\nread b", "text"},
	{"write a text\ncopy -f a b\nread b", "text"},
	{"write a text\ncopy -p a b\nread b", "text"},
	{"write a 1\nwrite b 2\nmove -x a b\nread a\nmove -n a c\nread c", "22"},
	{"mkdir d\nlink -s d/x d/y\nstat -l d/y\nstat d/y", "d/x\nLrwxrwxrwx -\n"},
	{"write a text\nlink a b\nappend b s\nread a", "texts"},
	{"write a x\nstat -a a\nstat -x a", "complete\n"},
	{"write a x\nchmod -f a 444\nstat a\ntruncate -f a 9\nstat a", "-rw-r--r-- 1\n-rw-r--r-- 9\n"},
	{"lock -s a\nlock -s a\nlock -p b\nlock -ps b", ""},
	{"fifo p\nstat p\nremove p", "prw------- -\n"},
	{"hook", ""},
	{"host", "Linux\n"},
	{"memory one two\nmemory -s three", "one two\nthree\n"},
	{"notify \"a message\"\nnotify \"\"", "a message\n\n"},
	{"poll", "events 1\n"},
	{"reserve a 100\nstat a", "-rw------- 0\n"},
	{"write a text\nreserve -p a 2\nread a", "\x00\x00xt"},
	{"serve s hello\nstat s\nremove s", "hello\nSrwx------ -\n"},
	{"mkdir d\nserve d/s " + strings.Repeat("x", 700), strings.Repeat("x", 700) + "\n"},
	{"space\nspace -f 1", ""},
	{"timer\ntimer 0\ntimer 100\nwait\nwait 0\nwait 100", ""},
}

// big makes a file of 64 KiB, more than one buffer and more than a pipe may take at once.
const big = "truncate big 65535\nappend big x\n"

func TestTheOtherVerbs(t *testing.T) {
	for _, test := range works {
		name, _, _ := strings.Cut(test.text, "\n")
		t.Run(name, func(t *testing.T) {
			// Nothing but the owner's bits may depend on who runs the tests.
			defer syscall.Umask(syscall.Umask(0o077))
			out, err := runWith(t, t.TempDir(), test.text, hookTrue)
			if err != nil {
				t.Fatal(err)
			}
			if out != test.want {
				t.Errorf("printed %q, want %q", out, test.want)
			}
		})
	}
}

func TestCopiesAreWhole(t *testing.T) {
	for _, flag := range []string{"", "-k", "-f", "-p"} {
		dir := t.TempDir()
		text := "touch big\n" + big + "copy " + flag + " big copy"
		if _, err := runWith(t, dir, text, Options{}); err != nil {
			t.Fatalf("copy %s: %v", flag, err)
		}
		want, err1 := os.ReadFile(filepath.Join(dir, "big"))
		got, err2 := os.ReadFile(filepath.Join(dir, "copy"))
		if err1 != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("copy %s: %d bytes of %d, %v, %v", flag, len(got), len(want), err1, err2)
		}
	}
}

func TestFactsAboutTheProcess(t *testing.T) {
	groups, err := syscall.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	out, err := runWith(t, t.TempDir(), "who", Options{})
	want := "user " + strconv.Itoa(os.Getuid()) + "\ngroup " + strconv.Itoa(os.Getgid()) +
		"\ngroups " + strconv.Itoa(len(groups)) + "\n"
	if err != nil || out != want {
		t.Errorf("who: %q, %v, want %q", out, err, want)
	}
	for _, verb := range []string{"who -p", "cpus", "limit"} {
		if out, err := runWith(t, t.TempDir(), verb, Options{}); err != nil || out == "" {
			t.Errorf("%s: %q, %v", verb, out, err)
		}
	}
	out, err = runWith(t, t.TempDir(), "limit", Options{})
	nice, errno := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if want := "nice " + strconv.Itoa(20-nice) + "\n"; err != nil || errno != nil || !strings.HasSuffix(out, want) {
		t.Errorf("limit: %q, %v, want %q at the end", out, err, want)
	}
}

func TestLabels(t *testing.T) {
	out, err := runWith(t, t.TempDir(), "touch a\nlabel a blue\nlabel a\nlabel -l a", Options{})
	if errors.Is(err, syscall.ENOTSUP) {
		t.Skip("the file system has no user attributes")
	}
	if err != nil || !strings.HasPrefix(out, "blue\nlabels ") {
		t.Errorf("printed %q, %v", out, err)
	}
}

// fails has jobs that a limit or a rule must stop.
var fails = []struct {
	text string
	opts Options
}{
	{"write -x a x\nwrite -x a x", hookTrue},
	{"write a 1\nwrite b 2\nmove -n a b", hookTrue},
	{"write -s a x\nwrite -s a x", hookTrue},
	{"hook\nhook", hookTrue},
	{"hook", Options{}},
	{"hook", Options{Hook: []string{"/bin/false"}}},
	{"hook", Options{Hook: []string{"/no/such/program"}}},
	{"timer 1001", hookTrue},
	{"timer 600\nwait 600", hookTrue},
	{"repeat 21\nwait\nend", hookTrue},
	{"space 1099511627776", hookTrue},
	{"lock -p a\nrepeat 4\nlock -s a\nend", hookTrue},
	{"reserve a 65537", hookTrue},
	{"memory " + strings.Repeat("x", 1025), hookTrue},
	{"notify " + strings.Repeat("x", 1025), hookTrue},
	{"serve s " + strings.Repeat("x", 1025), hookTrue},
	{"touch a\nlabel a " + strings.Repeat("x", 65), hookTrue},
	{"write a x\nlink a b\ncopy a b", hookTrue},
	{"serve s x\nserve s x", hookTrue},
}

func TestOtherLimits(t *testing.T) {
	for _, test := range fails {
		if out, err := runWith(t, t.TempDir(), test.text, test.opts); err == nil {
			t.Errorf("%.60q worked and printed %q", test.text, out)
		}
	}
}

// escapes has every verb that takes a name, with %s in its place.
var escapes = []string{
	"append %s x", "chmod %s 777", "chmod -f %s 777", "copy %s b", "copy -k a %s", "copy -f a %s",
	"copy -p a %s", "fifo %s", "label %s x", "label -l %s", "link %s b", "link a %s", "link -s a %s",
	"link -s %s b", "list %s", "list -l %s", "lock %s", "lock -p %s", "mkdir %s", "mkdir -p %s",
	"move %s b", "move a %s", "move -n %s b", "move -n a %s", "move -x %s a", "move -x a %s",
	"read %s", "read -m %s", "read -t %s", "read -a %s", "remove %s", "remove -r %s",
	"reserve %s 9", "reserve -p %s 2", "serve %s x", "stat %s", "stat -a %s", "stat -l %s",
	"stat -x %s", "touch %s", "truncate %s 0", "truncate -f %s 0", "write %s x", "write -a %s x",
	"write -r %s x", "write -s %s x", "write -v %s x", "write -x %s x",
}

// No verb leaves the directory: not by its name, and not through symbolic links that lie about.
func TestNothingLeavesTheDirectory(t *testing.T) {
	outer := t.TempDir()
	secret := filepath.Join(outer, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, outer)
	for _, escape := range escapes {
		for _, name := range []string{"../secret", secret, "up/secret", "up/new", "./a", "up/../secret"} {
			dir := filepath.Join(outer, "inner")
			for _, err := range []error{os.Mkdir(dir, 0o700), os.Symlink("..", filepath.Join(dir, "up"))} {
				if err != nil {
					t.Fatal(err)
				}
			}
			text := "write a text\n" + strings.Replace(escape, "%s", name, 1)
			if out, err := runWith(t, dir, text, hookTrue); err == nil &&
				!(escape == "link -s %s b" && strings.HasPrefix(name, "up/") && !strings.Contains(name, "..")) {
				t.Errorf("%q was run and printed %q", text, out)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if after := snapshot(t, outer); after != before {
				t.Fatalf("%q changed what is outside from %s to %s", text, before, after)
			}
		}
	}
}

// A link at the very end is not followed either; what works acts on the link, or replaces it.
func TestFinalLinksAreNotFollowed(t *testing.T) {
	outer := t.TempDir()
	secret := filepath.Join(outer, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, outer)
	for _, escape := range escapes {
		dir := filepath.Join(outer, "inner")
		for _, err := range []error{os.Mkdir(dir, 0o700), os.Symlink(secret, filepath.Join(dir, "out"))} {
			if err != nil {
				t.Fatal(err)
			}
		}
		out, _ := runWith(t, dir, "write a text\n"+strings.Replace(escape, "%s", "out", 1), hookTrue)
		if strings.Contains(strings.Replace(out, secret, "", -1), "secret") {
			t.Errorf("%q printed %q", escape, out)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if after := snapshot(t, outer); after != before {
			t.Fatalf("%q changed what is outside from %s to %s", escape, before, after)
		}
	}
}

// snapshot describes a directory: names, modes, sizes, links, times of the files.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		text.WriteString(info.Name() + info.Mode().String() + strconv.FormatInt(info.Size(), 10) + " " +
			strconv.FormatUint(uint64(stat.Nlink), 10) + info.ModTime().String() + ";")
	}
	return text.String()
}

// Descriptors and children are gone when Run returns, whatever the job and however it ended.
func TestNothingIsLeftOpen(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	job := func(text string, opts Options) {
		runWith(t, t.TempDir(), text, opts)
	}
	job("hook", hookTrue) // os prepares itself at the first process
	before := open()
	for _, test := range works {
		job(test.text, hookTrue)
	}
	for _, test := range fails {
		job(test.text, test.opts)
	}
	for _, escape := range escapes {
		for _, name := range []string{"a", "d", "p", "s", "l", "missing", "d/x"} {
			job("write a text\nmkdir d\nfifo p\nserve s x\nlink -s a l\n"+
				strings.Replace(escape, "%s", name, 1), hookTrue)
		}
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

// Every verb and flag of the table is run by some job above.
func TestThisFileIsComplete(t *testing.T) {
	done := map[string]bool{}
	note := func(text string) {
		for _, line := range strings.Split(text, "\n") {
			words, err := splitWords(line)
			if err != nil || len(words) == 0 {
				continue
			}
			s, err := newStep(words, 1)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			done[verbs[s.verb].name] = true
			for c := byte('a'); c <= 'z'; c++ {
				if s.flags.has(c) {
					done[verbs[s.verb].name+" -"+string(rune(c))] = true
				}
			}
		}
	}
	for _, test := range works {
		note(test.text)
	}
	for _, escape := range escapes {
		note(escape)
	}
	note("who -p\ncpus\nlimit\necho\nrepeat 1\nend")
	for v := verbAppend; int(v) < len(verbs); v++ {
		if name := verbs[v].name; !done[name] {
			t.Errorf("%s is not tested", name)
		}
		for _, c := range verbs[v].flags {
			if key := verbs[v].name + " -" + string(c); !done[key] {
				t.Errorf("%s is not tested", key)
			}
		}
	}
}
