//go:build go1.24

package testing

import (
	"context"
	"sync"
	"time"
)

// agentNewT returns a T for one execution, as F.Fuzz makes it.
func agentNewT(f *F, creator []uintptr, runner string) *T {
	ctx := &agentContext{parent: f.ctx}
	t := &T{
		common: common{
			barrier:   make(chan bool),
			signal:    make(chan bool, 1), // nobody waits while it is sent
			name:      f.name,
			parent:    &f.common,
			level:     f.level + 1,
			creator:   creator,
			runner:    runner,
			ctx:       ctx,
			cancelCtx: ctx.cancel,
		},
		tstate: f.tstate,
	}
	t.w = indenter{&t.common}
	agentSetOutput(t)
	return t
}

// agentEnd releases what agentNewT made.
func (t *T) agentEnd() { t.cancelCtx() }

// agentForget drops the names of subtests, which would pile up, and what code behind the fuzz
// function (cleanups, parallel subtests) did to the coverage counters.
func agentForget(f *F) {
	f.tstate.match.clearSubNames()
	f.fstate.deps.ResetCoverage()
}

// agentContext is a context.WithCancel(parent) that comes into being when somebody looks at it,
// which few fuzz functions do.
type agentContext struct {
	parent context.Context
	mu     sync.Mutex
	real   context.Context // nil until needed
	stop   context.CancelFunc
	ended  bool
}

func (c *agentContext) get() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		c.real, c.stop = context.WithCancel(c.parent)
		if c.ended {
			c.stop()
		}
	}
	return c.real
}

// cancel is the context's CancelFunc.
func (c *agentContext) cancel() {
	c.mu.Lock()
	c.ended = true
	stop := c.stop
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// The methods of context.Context.

func (c *agentContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }
func (c *agentContext) Done() <-chan struct{}       { return c.get().Done() }
func (c *agentContext) Err() error                  { return c.get().Err() }
func (c *agentContext) Value(key any) any           { return c.get().Value(key) }
