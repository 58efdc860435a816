// Command jobrunner runs a job file inside a directory.
//
//	jobrunner [-hook PROGRAM] DIR [FILE]
//
// Without FILE the job comes from standard input. The exit status is 0 when every step worked, 1 when
// the job is wrong or a step failed, and 2 when the command line is.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"example.com/jobrunner"
)

func main() {
	hook := flag.String("hook", "", "the `program` that the verb hook starts")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: jobrunner [-hook PROGRAM] DIR [FILE]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() < 1 || flag.NArg() > 2 {
		flag.Usage()
		os.Exit(2)
	}
	var opts jobrunner.Options
	if *hook != "" {
		opts.Hook = []string{*hook}
	}
	out, err := runFile(flag.Arg(0), flag.Arg(1), opts)
	os.Stdout.Write(out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "jobrunner:", err)
		os.Exit(1)
	}
}

func runFile(dir, file string, opts jobrunner.Options) ([]byte, error) {
	in := os.Stdin
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	// One byte more than a job may have: Parse refuses it then, and we read no further.
	text, err := io.ReadAll(io.LimitReader(in, jobrunner.MaxText+1))
	if err != nil {
		return nil, err
	}
	job, err := jobrunner.Parse(string(text))
	if err != nil {
		return nil, err
	}
	return jobrunner.Run(dir, job, opts)
}
