//go:build !go1.24

package testing

// agentNewT returns a T for one execution, as F.Fuzz makes it.
func agentNewT(f *F, creator []uintptr, runner string) *T {
	t := &T{
		common: common{
			barrier: make(chan bool),
			signal:  make(chan bool, 1), // nobody waits while it is sent
			name:    f.name,
			parent:  &f.common,
			level:   f.level + 1,
			creator: creator,
			runner:  runner,
		},
		context: f.testContext,
	}
	t.w = indenter{&t.common}
	return t
}

// agentEnd releases what agentNewT made.
func (t *T) agentEnd() {}

// agentForget drops the names of subtests, which would pile up, and what code behind the fuzz
// function (cleanups, parallel subtests) did to the coverage counters.
func agentForget(f *F) {
	f.testContext.match.clearSubNames()
	f.fuzzContext.deps.ResetCoverage()
}
