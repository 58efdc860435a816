// Package jobrunner runs small job descriptions inside one directory.
//
// A job is text, one step a line: a verb, optional flags, and arguments.
//
//	# keep the last two reports
//	mkdir -p reports/old
//	move reports/today reports/old/yesterday
//	write -s reports/today "all is well\n"
//	repeat 2
//	  append log "rotated\n"
//	end
//
// Everything a job names lies below the directory given to [Run]: absolute paths, "." and ".." are
// refused, and symbolic links are never followed. A job is bounded in text, steps, file sizes,
// output, sleep, and processes, so that running one costs little however it was written. The README
// lists the verbs.
package jobrunner

// Limits of one job. They are small on purpose: a job is glue, not a program.
const (
	MaxText   = 4 << 10  // bytes of job description
	MaxSteps  = 64       // steps after all repeats are unrolled
	MaxNest   = 4        // repeat blocks inside one another
	MaxWords  = 8        // words of one step, the verb included
	MaxFile   = 64 << 10 // bytes of any file a job reads or makes
	MaxOutput = 16 << 10 // bytes of output
	MaxDepth  = 4        // components of a path
	MaxName   = 32       // bytes of one component
	MaxLocks  = 4        // locks held at once
	MaxSyncs  = 1        // waits for the disk
	MaxHooks  = 1        // processes started
	MaxSleep  = 1000     // microseconds slept, all steps together
)
