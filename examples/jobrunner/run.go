package jobrunner

import (
	"errors"
	"fmt"
	"os"
)

// Options are what the owner of the directory decides, not the job.
type Options struct {
	// Hook is the one program, with its arguments, that the verb hook starts. Without it the verb
	// fails. The job has no say in it.
	Hook []string
}

// StepError says which step of a job failed and why.
type StepError struct {
	Line int // in the job description, from 1
	Verb string
	Err  error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("line %d: %s: %v", e.Line, e.Verb, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// errUnsupported is what verbs and flags that need Linux answer elsewhere.
var errUnsupported = errors.New("not supported on this system")

// run is one execution of a job. It belongs to the goroutine in [Run]; the locks it holds end there.
type run struct {
	dir   string
	opts  Options
	out   []byte
	locks []*os.File
	syncs int
	hooks int
	slept int64 // microseconds
}

// Run executes a job inside dir, which must exist, and returns what the job printed. It stops at the
// first step that fails, with a [*StepError]. Files stay as the steps left them; descriptors, locks
// and processes are gone when Run returns.
func Run(dir string, job *Job, opts Options) ([]byte, error) {
	r := &run{dir: dir, opts: opts}
	defer r.release()
	for i := range job.plan {
		s := &job.plan[i]
		if err := r.do(s); err != nil {
			return r.out, &StepError{int(s.line), verbs[s.verb].name, err}
		}
	}
	return r.out, nil
}

func (r *run) release() {
	for _, f := range r.locks {
		f.Close()
	}
	r.locks = nil
}

// do runs one step.
func (r *run) do(s *step) error {
	switch s.verb {
	case verbAppend, verbWrite:
		return r.write(s)
	case verbChmod:
		return r.chmod(s)
	case verbCopy:
		return r.copy(s)
	case verbEcho:
		return r.print(s.text(0), "\n")
	case verbHook:
		return r.hook()
	case verbLink:
		return r.link(s)
	case verbList:
		return r.list(s)
	case verbLock:
		return r.lock(s)
	case verbMkdir:
		return r.mkdir(s)
	case verbMove:
		return r.move(s)
	case verbRead:
		return r.read(s)
	case verbRemove:
		return r.remove(s)
	case verbStat:
		return r.stat(s)
	case verbTouch:
		return r.touch(s)
	case verbTruncate:
		return r.truncate(s)
	}
	return r.native(s)
}

var errOutput = fmt.Errorf("more than %d bytes of output", MaxOutput)

// print appends to the job's output.
func (r *run) print(parts ...string) error {
	for _, p := range parts {
		if len(r.out)+len(p) > MaxOutput {
			return errOutput
		}
		r.out = append(r.out, p...)
	}
	return nil
}

// sleepFor reads a number of microseconds, 50 if absent, and takes it from the job's allowance.
func (r *run) sleepFor(s *step) (int64, error) {
	if s.arg(0) == "" {
		return 50, r.takeSleep(50)
	}
	n, err := number(s.arg(0), MaxSleep)
	if err != nil {
		return 0, err
	}
	return n, r.takeSleep(n)
}

func (r *run) takeSleep(n int64) error {
	if r.slept+n > MaxSleep {
		return fmt.Errorf("a job sleeps at most %d microseconds", MaxSleep)
	}
	r.slept += n
	return nil
}

// takeSync counts one wait for the disk.
func (r *run) takeSync() error {
	if r.syncs == MaxSyncs {
		return fmt.Errorf("a job waits for the disk at most %d times", MaxSyncs)
	}
	r.syncs++
	return nil
}

// hook starts the program from the options, in the directory, with an empty environment and no
// input or output, and waits for it.
func (r *run) hook() error {
	if len(r.opts.Hook) == 0 {
		return errors.New("no hook program is set")
	}
	if r.hooks == MaxHooks {
		return fmt.Errorf("a job starts at most %d processes", MaxHooks)
	}
	r.hooks++
	return runHook(r.opts.Hook, r.dir)
}
