//go:build !linux || !(amd64 || arm64)

package jobrunner

import "os"

const noFollow = 0

// What only Linux has. Jobs that use it fail elsewhere with a clear error.

func (r *run) native(*step) error { return errUnsupported }

func syncFile(f *os.File) error                   { return f.Sync() }
func reserve(*os.File, int64, int64, bool) error  { return errUnsupported }
func writeGathered(f *os.File, text string) error { _, err := f.WriteString(text); return err }
func readMapped(*os.File, int64) (string, error)  { return "", errUnsupported }
func adviseSequential(*os.File) error             { return errUnsupported }
func copyRange(_, _ *os.File) error               { return errUnsupported }
func copySend(_, _ *os.File) error                { return errUnsupported }
func copySplice(_, _ *os.File) error              { return errUnsupported }
func renameNoReplace(_, _ string) error           { return errUnsupported }
func renameExchange(_, _ string) error            { return errUnsupported }
func checkWritable(string) error                  { return errUnsupported }
func extendedStat(string) (string, error)         { return "", errUnsupported }
func lockFile(*os.File, bool) error               { return errUnsupported }
func lockRange(*os.File, bool) error              { return errUnsupported }
func runHook([]string, string) error              { return errUnsupported }
