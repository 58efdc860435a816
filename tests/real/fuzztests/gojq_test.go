// Copied into github.com/itchyny/gojq/cli by test_round_trip.py: the command on a file, with the
// options and the query that the first bytes choose. Queries that may never end are not among them.
package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var queries = []string{
	".", ".a", ".[]?", "keys?", "length?", "tojson", "@base64?", "@uri", "to_entries?", "input?",
	"[inputs]", "input_filename", "env|type", "now|type", "sort?", "unique?", "paths", "$__prog_args",
	"strptime(\"%Y\")?", "todate?", "fromdate?", "test(\"a+\")?", "input_line_number", "debug", "stderr",
	"include \"m\"; .", "import \"m\" as $m; $m", "$x", "getpath([\"a\"])?", "walk(.)", "error",
}

var options = []string{
	"-r", "-j", "-c", "-n", "-R", "-s", "-e", "-C", "-M", "--stream", "--yaml-input", "--yaml-output",
	"--tab", "--raw-output0", "--args", "--jsonargs", "-h", "-v",
}

func FuzzRun(f *testing.F) {
	f.Add(byte(0), byte(2), uint16(0), []byte(`{"a": [1, 2.5, "x", null, true]}`))
	f.Add(byte(10), byte(5), uint16(1), []byte("1 2 [3]"))
	f.Add(byte(3), byte(10), uint16(2), []byte("a: 1\nb: [c, d]\n"))
	f.Add(byte(25), byte(4), uint16(4), []byte("text"))
	folder := f.TempDir()
	file := filepath.Join(folder, "input")
	f.Fuzz(func(t *testing.T, query, option byte, more uint16, data []byte) {
		if len(data) > 1<<12 {
			return
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{options[int(option)%len(options)], "-L", folder, "--arg", "x", "y"}
		if more&1 != 0 {
			args = append(args, "--rawfile", "r", file)
		}
		if more&2 != 0 {
			args = append(args, "--slurpfile", "s", file)
		}
		args = append(args, queries[int(query)%len(queries)])
		in := io.Reader(bytes.NewReader(data))
		if more&4 == 0 {
			args = append(args, file)
		}
		run := cli{inStream: in, outStream: io.Discard, errStream: io.Discard}
		run.run(args)
	})
}
