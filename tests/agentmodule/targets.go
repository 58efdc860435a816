// Package agenttargets has the code under test of fuzz functions that do everything a fuzz function may do.
package agenttargets

// Sense takes another branch for every one of the low bits of n.
func Sense(n int) int {
	sum := 0
	if n&1 != 0 {
		sum += 3
	}
	if n&2 != 0 {
		sum *= 5
	}
	if n&4 != 0 {
		sum ^= 9
	}
	for i := 0; i < n&63; i++ {
		sum += i
	}
	return sum
}

// Boom panics a few frames deep.
func Boom(value any) { deeper(3, value) }

//go:noinline
func deeper(n int, value any) {
	if n == 0 {
		panic(value)
	}
	deeper(n-1, value)
}

// Endless recurses until the stack is full.
func Endless(n int) int { return Endless(n+1) + n }

// Forever waits for what never comes.
func Forever() { <-make(chan int) }

// Overwrite changes all of data.
func Overwrite(data []byte) {
	for i := range data {
		data[i] = '!'
	}
}
