// Package seeds has fuzz targets whose set-up and seeds are easy or hard to get at; see
// tests/worker/test_harvest.py.
package seeds

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	fmt.Println("set up")
	if os.Getenv("REPLACE") != "" {
		os.Unsetenv("REPLACE")
		path, _ := os.Executable()
		syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
	}
	os.Exit(m.Run())
}

func FuzzTypes(f *testing.F) {
	f.Add([]byte("b\x00"), "s\xff", true, byte(1), rune(-1), float32(1.5), math.Inf(-1), 2,
		int8(-3), int16(4), int32(5), int64(6), uint(7), uint8(8), uint16(9), uint32(10),
		uint64(11))
	f.Fuzz(func(t *testing.T, a []byte, b string, c bool, d byte, e rune, g float32, h float64,
		i int, j int8, k int16, l int32, m int64, n uint, o uint8, p uint16, q uint32, r uint64) {
	})
}

func FuzzUnseeded(f *testing.F) {
	f.Fuzz(func(t *testing.T, a []byte, b string, c bool, d rune, e float64, g uint16) {})
}

func FuzzMany(f *testing.F) {
	for i := 0; i < 1000; i++ {
		f.Add(i)
	}
	f.Add(7) // again
	f.Fuzz(func(t *testing.T, n int) {})
}

func FuzzText(f *testing.F) { f.Fuzz(func(t *testing.T, s string) {}) }

func FuzzOnDisk(f *testing.F) {
	text, err := os.ReadFile("testdata/words.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Fuzz(func(t *testing.T, s string) { t.Fatal("always fails") })
}

func FuzzWrongFile(f *testing.F) { f.Fuzz(func(t *testing.T, n int) {}) }

func FuzzWrongAdd(f *testing.F) {
	f.Add("text")
	f.Fuzz(func(t *testing.T, n int) {})
}

func FuzzSkips(f *testing.F)     { f.Skip("no database") }
func FuzzFails(f *testing.F)     { f.Fatal("no fixture") }
func FuzzPanics(f *testing.F)    { panic("broken set-up") }
func FuzzExits(f *testing.F)     { os.Exit(0) }
func FuzzForgetful(f *testing.F) { f.Add(1) }

func FuzzNoisy(f *testing.F) {
	for i := 0; i < 100; i++ {
		fmt.Println(strings.Repeat("noise ", 20000))
	}
	f.Fatal("the end")
}

func FuzzHangs(f *testing.F) {
	if report := os.Getenv("REPORT"); report != "" {
		os.WriteFile(report, []byte(fmt.Sprintln(os.Getpid())), 0)
	}
	time.Sleep(time.Hour)
}

func FuzzUntidy(f *testing.F) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		f.Fatal(err)
	}
	os.WriteFile(os.Getenv("REPORT"), []byte(fmt.Sprintln(child.Process.Pid, os.TempDir())), 0)
	locked := filepath.Join(f.TempDir(), "locked")
	os.MkdirAll(filepath.Join(locked, "inner"), 0o700)
	os.Chmod(locked, 0)
	f.Add(1)
	f.Fuzz(func(t *testing.T, n int) {})
}

// FuzzItself runs os.Args[0], as tests do that need a helper process.
func FuzzItself(f *testing.F) {
	out, err := exec.Command(os.Args[0], "-test.list=^FuzzItself$").CombinedOutput()
	if err != nil {
		f.Fatal(err, string(out))
	}
	f.Add(strings.Contains(string(out), "FuzzItself"))
	f.Fuzz(func(t *testing.T, ok bool) {})
}
