package jobrunner

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Job is a parsed job description: the steps in the order they run, repeats unrolled.
// A Job is never changed after [Parse], so several goroutines may run it at once.
type Job struct {
	plan []step
}

// step is one action. The arguments that its verb needs are there.
type step struct {
	verb  verb
	flags flags
	args  []string
	line  int32
}

// Len returns how many steps the job runs.
func (j *Job) Len() int { return len(j.plan) }

// arg returns the nth argument, or "" if it was not given.
func (s *step) arg(n int) string {
	if n < len(s.args) {
		return s.args[n]
	}
	return ""
}

// text returns the arguments from the nth on, joined by spaces.
func (s *step) text(n int) string {
	if n >= len(s.args) {
		return ""
	}
	return strings.Join(s.args[n:], " ")
}

// block is a repeat whose end has not come yet; its body begins at plan[start].
type block struct {
	start, count int
}

type parser struct {
	plan []step
	open []block
	last verb // of the step before
}

// Parse reads a job description. The error names the line that is wrong.
func Parse(text string) (*Job, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("a job has at most %d bytes, this one has %d", MaxText, len(text))
	}
	p := parser{plan: make([]step, 0, MaxSteps)}
	for line := int32(1); text != ""; line++ {
		var first string
		first, text, _ = strings.Cut(text, "\n")
		words, err := splitWords(first)
		if err == nil && len(words) > 0 {
			err = p.add(words, line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if len(p.open) > 0 {
		return nil, errors.New("a repeat has no end")
	}
	return &Job{p.plan}, nil
}

// add appends one step to the plan, or opens or closes a repeat.
func (p *parser) add(words []word, line int32) error {
	s, err := newStep(words, line)
	if err != nil {
		return err
	}
	last := p.last
	p.last = s.verb
	switch {
	case s.verb == verbRepeat:
		count, err := number(s.args[0], math.MaxInt32)
		if err != nil {
			return err
		}
		if len(p.open) == MaxNest {
			return fmt.Errorf("more than %d repeats inside one another", MaxNest)
		}
		p.open = append(p.open, block{len(p.plan), int(count)})
	case s.verb == verbEnd && len(p.open) == 0:
		return errors.New("an end without a repeat")
	case s.verb == verbEnd && last == verbRepeat:
		return errors.New("nothing to repeat")
	case s.verb == verbEnd:
		inner := p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
		return p.unroll(inner)
	case len(p.plan) == MaxSteps:
		return fmt.Errorf("more than %d steps", MaxSteps)
	default:
		p.plan = append(p.plan, s)
	}
	return nil
}

// unroll repeats the steps of a block that has just been closed.
func (p *parser) unroll(b block) error {
	body := len(p.plan) - b.start
	// Divided, because count*body may be more than an int holds.
	//
	// PLANTED BUG 2 (behind the parse): an empty block is refused by its lines, but a block whose only
	// content was repeated 0 times has lines and no steps, and body is zero. The right code returns
	// here if body is.
	if b.count > (MaxSteps-b.start)/body {
		return fmt.Errorf("more than %d steps after repeats", MaxSteps)
	}
	end := b.start + b.count*body
	p.plan = p.plan[:end]
	for i := b.start + body; i < end; i++ {
		p.plan[i] = p.plan[i-body]
	}
	return nil
}

// newStep makes a step of a line's words: the verb, then flags and arguments in any order.
func newStep(words []word, line int32) (step, error) {
	s := step{verb: verbOf(words[0].text), line: line}
	if s.verb == verbNone {
		return s, fmt.Errorf("no verb is called %q", words[0].text)
	}
	for _, w := range words[1:] {
		if w.quoted || len(w.text) < 2 || w.text[0] != '-' {
			s.args = append(s.args, w.text)
			continue
		}
		set, ok := flagsOf(w.text[1:], verbs[s.verb].flags)
		if !ok {
			return s, fmt.Errorf("%s has no flag %s", verbs[s.verb].name, w.text)
		}
		s.flags |= set
	}
	if len(s.args) < verbs[s.verb].needs {
		return s, fmt.Errorf("%s needs %d arguments", verbs[s.verb].name, verbs[s.verb].needs)
	}
	return s, nil
}

// number reads a decimal number of at most limit.
func number(s string, limit int64) (int64, error) {
	if s == "" {
		return 0, errors.New("a number is missing")
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%q is not a number", s)
		}
		n = n*10 + int64(s[i]-'0')
		if n > limit {
			return 0, fmt.Errorf("%q is more than %d", s, limit)
		}
	}
	return n, nil
}
