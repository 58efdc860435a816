package fuzz

import "syscall"

// serve answers requests until the coordinator closes its end: a line on the file descriptor in asks
// for what the shared memory says, a line on out tells that it is done. It returns the error that
// ended it, if any.
func (c *agCore) serve(in, out int) error {
	var line [64]byte
	for {
		n, err := syscall.Read(in, line[:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		reply := "ok\n"
		if !c.answer() {
			reply = "expected a request that the agent understands\n"
		}
		if err := agWriteAll(out, reply); err != nil {
			return err
		}
	}
}

// answer does what is asked; false when it makes no sense.
func (c *agCore) answer() bool {
	for _, w := range [...]int{
		agWordCount, agWordResultsLen, agWordEnd,
		agWordHavocRuns, agWordSolveRuns, agWordTrimRuns, agWordConfirmRuns,
	} {
		*c.mem.word(w) = 0
	}
	c.out.at, c.out.full = 0, false
	c.dirty = true
	c.lost = false
	c.host.logs(false)
	if *c.mem.word(agWordRequestLen) > uint64(len(c.mem.request)) {
		return false
	}
	switch *c.mem.word(agWordRequest) {
	case 0: // only asks whether anybody is there
		return true
	case agRequestBatch:
		return c.runBatch()
	case agRequestPlan:
		plan, ok := c.readPlan()
		if ok {
			c.runPlan(plan)
		}
		return ok
	case agRequestLoop:
		return c.runLoop()
	}
	return false
}

func agWriteAll(fd int, text string) error {
	for b := []byte(text); len(b) > 0; {
		n, err := syscall.Write(fd, b)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
