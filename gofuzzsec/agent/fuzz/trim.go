package fuzz

const (
	agTrimPerFind = 192 // executions for one find
	agTrimShare   = 8   // at most one execution in so many goes into trimming
	agTrimStart   = 512 // executions in advance
)

// trim shortens in while executing it still covers wanted: blocks are left out, large ones first,
// as in delta debugging (Zeller and Hildebrandt, 2002) with AFL's way of walking the blocks.
func (c *agCore) trim(in *agInput, wanted []uint32) {
	left := agTrimPerFind
	for i, kind := range in.kinds {
		if !kind.variable() {
			continue
		}
		n := len(in.arg(i))
		least := n / 256
		if least < 1 {
			least = 1
		}
		for size := agHalfUp(n); size >= least && left > 0; size /= 2 {
			for at := 0; at < len(in.arg(i)) && left > 0; {
				if c.over() || *c.mem.word(agWordTrimRuns)*agTrimShare > c.budget.runs+agTrimStart {
					return
				}
				left--
				if !c.without(in, i, at, size, wanted) {
					at += size
				}
			}
		}
	}
}

// without tries in less size bytes at offset at of argument i, and leaves in so if that holds.
func (c *agCore) without(in *agInput, i, at, size int, wanted []uint32) bool {
	if rest := len(in.arg(i)) - at; size > rest {
		size = rest
	}
	c.spare.copyFrom(in)
	from := in.begin(i) + at
	c.spare.splice(i, from, from+size, nil)
	c.exec(&c.spare)
	*c.mem.word(agWordTrimRuns)++
	if c.failed || !c.cov.has(wanted) {
		return false
	}
	in.copyFrom(&c.spare)
	return true
}

// agHalfUp returns half of n, but at least 1.
func agHalfUp(n int) int {
	if n < 2 {
		return 1
	}
	return n / 2
}
