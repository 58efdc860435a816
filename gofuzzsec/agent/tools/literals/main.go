// Literals prints the constants that Go packages contain, for a fuzzer's dictionary.
//
// It reads a request (JSON) from the file named on its command line and writes one JSON object a
// line to standard output. Sources are parsed and type-checked without their imports: what other packages would tell
// is missing, which costs a few widths of integers and nothing else. Files that cannot be read or
// parsed are passed over; whoever builds the package will hear about them.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"syscall"
)

// request names the packages to read and sets the bounds.
type request struct {
	Packages []unit
	MaxFile  int64 // bytes of one file that is read
	MaxTotal int64 // bytes of all files together
	MaxFound int   // constants of all packages together
}

// unit is what is type-checked together: the files of a package, or of its external test package.
type unit struct {
	Path  string
	Files []source
}

// source is one file. Tier says how near it is to what is fuzzed, 0 being nearest.
type source struct {
	Name string
	Tier int
}

// found is one constant.
type found struct {
	Kind  string   // "string", "int" or "float"
	Text  []byte   // the string; an integer in decimal; a float in Go's shortest form
	Width int      // bytes of the type; 0 when that is int or not known
	Use   int      // how the code uses it: one of the use constants
	Tier  int      // of the source
	Bits  []uint64 // of a float, as float64 and as float32
}

// maxMemory bounds the address space, in bytes: forty lines of constants that double a string are a
// terabyte when worked out. The largest packages need a tenth of it.
const maxMemory = 4 << 30

func main() {
	if err := boundMemory(); err != nil {
		fmt.Fprintln(os.Stderr, "cannot bound the memory:", err)
		os.Exit(1)
	}
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// boundMemory lowers the limit of the address space to maxMemory unless it is lower already.
func boundMemory() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		return err
	}
	if limit.Cur <= maxMemory {
		return nil
	}
	limit.Cur = maxMemory
	return syscall.Setrlimit(syscall.RLIMIT_AS, &limit)
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("expected the file of a request, found %d arguments", len(args))
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var asked request
	if err := json.Unmarshal(text, &asked); err != nil {
		return fmt.Errorf("expected a request as JSON in %s, found: %w", args[0], err)
	}
	buffered := bufio.NewWriter(out)
	lines := json.NewEncoder(buffered)
	left := asked.MaxTotal
	for _, u := range asked.Packages {
		all := constantsOf(u, asked.MaxFile, &left, asked.MaxFound)
		asked.MaxFound -= len(all)
		for _, f := range all {
			if err := lines.Encode(f); err != nil {
				return err
			}
		}
	}
	return buffered.Flush()
}

// constantsOf returns the constants of one unit, in the order of the sources. It lowers left by the
// bytes it read.
func constantsOf(u unit, maxFile int64, left *int64, maxFound int) []found {
	fset := token.NewFileSet()
	var files []*ast.File
	var tiers []int
	for _, s := range u.Files {
		text, err := read(s.Name, min64(maxFile, *left))
		if err != nil {
			continue
		}
		*left -= int64(len(text))
		// What is wrong with the file is no matter; the part that was understood is.
		file, _ := parser.ParseFile(fset, s.Name, text, parser.SkipObjectResolution)
		if file != nil {
			files = append(files, file)
			tiers = append(tiers, s.Tier)
		}
	}
	c := &collector{info: check(u.Path, fset, files), max: maxFound}
	for i, file := range files {
		c.tier = tiers[i]
		c.walk(file)
	}
	return c.all
}

// read returns a file's content, or an error when it has more than limit bytes.
func read(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if status, err := file.Stat(); err != nil || !status.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = errors.New("too large")
	}
	return text, err
}

// check type-checks files as far as that is possible without any import.
func check(path string, fset *token.FileSet, files []*ast.File) (info *types.Info) {
	info = &types.Info{
		Types: make(map[ast.Expr]types.TypeAndValue),
		Defs:  make(map[*ast.Ident]types.Object),
	}
	// Broken sources have crashed go/types before; what it found until then still serves.
	defer func() { _ = recover() }()
	config := types.Config{Importer: noImports{}, FakeImportC: true, Error: func(error) {}}
	_, _ = config.Check(path, fset, files, info) // errors are expected: nothing is imported
	return info
}

// noImports is an importer that finds nothing.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	return nil, errors.New("imports are not read")
}

func min64(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
