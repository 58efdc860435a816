// The program that the tests of the BPF recorder follow: it makes calls of which it knows how many
// are inside of the functions traced and second, and prints that.
package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var inside, outside, deeper tally // of traced; of neither; of second

//go:noinline
func traced(body func()) {
	body()
	sink++
}

//go:noinline
func second(body func()) {
	body()
	sink++
}

var sink int

var cases = map[string]func(n int){
	"spread":    spread,
	"grow":      grow,
	"gc":        underGC,
	"hop":       hop,
	"both":      both,
	"recursion": recursion,
	"recovered": recovered,
	"recovers":  recovers,
	"goexit":    goexit,
	"handed":    handed,
	"nested":    nested,
	"children":  children,
	"helper":    helper,
	"stay":      stay,
	"becomes":   becomes,
}

func main() {
	n, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	cases[os.Args[1]](n)
	if os.Args[1] == "helper" {
		return
	}
	json.NewEncoder(os.Stdout).Encode(map[string]map[string]int64{
		"inside": inside.report(), "outside": outside.report(), "deeper": deeper.report(),
	})
}

// crowd runs work on size goroutines and waits for them.
func crowd(size int, work func(i int)) {
	var all sync.WaitGroup
	for i := 0; i < size; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			work(i)
		}(i)
	}
	all.Wait()
}

// busy makes n calls in bursts between which it lets others run.
func busy(t *tally, seed, n int) {
	for done := 0; done < n; done += 16 {
		t.burst(seed+done, min(16, n-done))
		if done%64 == 0 {
			runtime.Gosched()
		}
	}
}

// spread: 64 goroutines, half of them the one in traced and those that it starts.
func spread(n int) {
	runtime.GOMAXPROCS(8)
	each := n / 64
	var all sync.WaitGroup
	all.Add(1)
	go func() {
		defer all.Done()
		traced(func() {
			all.Add(31)
			for i := 0; i < 31; i++ {
				go func(i int) {
					defer all.Done()
					busy(&inside, i, each)
				}(i)
			}
			busy(&inside, 99, each)
		})
		outside.burst(5, 10)
	}()
	crowd(32, func(i int) { busy(&outside, 100+i, each) })
	all.Wait()
}

//go:noinline
func deep(levels, n int) int {
	var room [512]byte
	room[levels%512] = byte(levels)
	if levels%50 == 0 {
		inside.burst(levels, n)
	}
	if levels > 0 {
		deep(levels-1, n)
	}
	if levels%100 == 0 {
		inside.burst(levels, n)
	}
	return int(room[levels%512])
}

// grow: the stack moves again and again while traced runs.
func grow(n int) {
	crowd(8, func(i int) {
		outside.burst(i, n)
		traced(func() { deep(2000, n) })
		outside.burst(i, n)
	})
}

// underGC: stacks shrink, goroutines are preempted and stopped.
func underGC(n int) {
	debug.SetGCPercent(1)
	runtime.GOMAXPROCS(8)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for keep := make([][]byte, 64); ; {
				select {
				case <-stop:
					return
				default:
					keep[sink&63] = make([]byte, 1<<16)
				}
			}
		}()
	}
	crowd(4, func(i int) {
		for round := 0; round < 8; round++ {
			traced(func() {
				deep(200, n)
				runtime.GC()
				inside.burst(i, n)
			})
			outside.burst(i, n)
		}
	})
	close(stop)
	all.Wait()
}

// hop: goroutines block, sleep and yield, so that they go on on other threads.
func hop(n int) {
	runtime.GOMAXPROCS(8)
	crowd(16, func(i int) {
		r, w, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		work := func(t *tally) {
			for round := 0; round < n; round++ {
				t.burst(i+round, 4)
				runtime.Gosched()
				go func() { w.Write([]byte{1}) }()
				r.Read(make([]byte, 1))
				t.burst(i+round, 4)
				time.Sleep(time.Microsecond)
			}
		}
		if i%2 == 0 {
			traced(func() { work(&inside) })
		}
		work(&outside)
	})
}

// both: several goroutines in traced at once, entering and leaving at different times.
func both(n int) {
	crowd(8, func(i int) {
		for round := 0; round < 50; round++ {
			traced(func() { inside.burst(i, n+i) })
			runtime.Gosched()
			outside.burst(i, n)
		}
	})
}

func recursion(n int) {
	var again func(level int)
	again = func(level int) {
		inside.burst(level, n)
		if level > 0 {
			traced(func() { again(level - 1) })
		}
		inside.burst(level, n)
	}
	for i := 0; i < 20; i++ {
		traced(func() { again(10) })
		outside.burst(i, n)
	}
}

//go:noinline
func recovering(body func()) {
	defer func() { recover() }()
	body()
}

// recovered: panics go through traced, to be recovered above it.
func recovered(n int) {
	crowd(4, func(i int) {
		for round := 0; round < 50; round++ {
			recovering(func() {
				outside.burst(i, n)
				traced(func() {
					defer inside.burst(i, 3)
					deep(40, n)
					panic("out of it")
				})
			})
			outside.burst(i, n)
		}
	})
}

// recovers: panics are recovered within traced, which goes on.
func recovers(n int) {
	for i := 0; i < 50; i++ {
		traced(func() {
			inside.burst(i, n)
			recovering(func() {
				second(func() {
					inside.with(&deeper, i, n)
					panic("out of second")
				})
			})
			inside.burst(i, n)
		})
		outside.burst(i, n)
	}
}

// goexit: goroutines end inside of traced.
func goexit(n int) {
	for i := 0; i < 50; i++ {
		crowd(4, func(i int) {
			outside.burst(i, n)
			traced(func() {
				defer inside.burst(i, n)
				inside.burst(i, n)
				runtime.Goexit()
			})
		})
		crowd(4, func(i int) { outside.burst(i, n) })
	}
}

// handed: traced gives work to a goroutine that was there before.
func handed(n int) {
	work, done := make(chan int), make(chan int)
	go func() {
		for i := range work {
			outside.burst(i, n)
			done <- i
		}
	}()
	for i := 0; i < 100; i++ {
		traced(func() {
			inside.burst(i, n)
			work <- i
			<-done
			inside.burst(i, n)
		})
	}
}

// nested: two windows, one in the other and each alone.
func nested(n int) {
	for i := 0; i < 50; i++ {
		traced(func() {
			inside.burst(i, n)
			second(func() {
				inside.with(&deeper, i, n)
			})
			inside.burst(i, n)
		})
		second(func() { deeper.burst(i, n) })
		outside.burst(i, n)
	}
}

// children: programs started inside and outside, at the same time. Arguments from 3 on are the
// programs; each makes n times getsid.
func children(n int) {
	crowd(4, func(i int) {
		for _, program := range os.Args[3:] {
			run := func() {
				if err := exec.Command(program, "helper", strconv.Itoa(n)).Run(); err != nil {
					panic(err)
				}
			}
			if i%2 == 0 {
				traced(run)
			}
			run()
		}
	})
}

func helper(n int) {
	for i := 0; i < n; i++ {
		raw(syscall.SYS_GETSID, 0, 0, 0)
	}
}

// stay: makes calls inside and waits to be killed.
func stay(n int) {
	traced(func() {
		inside.burst(1, n)
		json.NewEncoder(os.Stdout).Encode(map[string]map[string]int64{"inside": inside.report()})
		os.Stdin.Read(make([]byte, 1))
	})
}

// becomes: executes another program, the first of the further arguments, in its own place.
func becomes(n int) {
	traced(func() {
		inside.burst(1, n)
		json.NewEncoder(os.Stdout).Encode(map[string]map[string]int64{"inside": inside.report()})
		panic(syscall.Exec(os.Args[3], []string{os.Args[3], "helper", strconv.Itoa(n)}, nil))
	})
}
