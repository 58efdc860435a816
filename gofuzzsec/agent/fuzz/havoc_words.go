package fuzz

// Operators for what is written in words and lines, whatever the language. Nothing is known of it but
// that spaces and punctuation part words, and line ends lines, so that a flag, an argument or a
// statement of one input gets into another as a whole and in a place where one can stand. (What
// fuzzing by tokens gains: C. Salls et al., Token-level fuzzing, USENIX Security 2021.)

const agMutFieldMax = 256 // bytes of a word or line on either side of the place it is looked for at

// agMutParts says whether c stands between words, or between lines.
func agMutParts(c byte, lines bool) bool {
	switch c {
	case '\n', 0:
		return true
	case ' ', '\t', '\r', ',', ';', ':', '=', '&', '|', '(', ')', '[', ']', '{', '}', '<', '>', '"', '\'', '/', '?':
		return !lines
	}
	return false
}

// agMutField returns the word or line around b[at], empty between two of them.
func agMutField(b []byte, at int, lines bool) (from, to int) {
	from, to = at, at
	for from > 0 && at-from < agMutFieldMax && !agMutParts(b[from-1], lines) {
		from--
	}
	for to < len(b) && to-at < agMutFieldMax && !agMutParts(b[to], lines) {
		to++
	}
	return from, to
}

// partnerWord takes a word or a line of another input: in place of one of ours, or behind it together
// with the byte that parted it from what it stood behind.
func (m *agMutator) partnerWord(in *agInput, i int) bool {
	theirs, ours := m.partner(in, i), in.arg(i)
	if len(theirs) == 0 {
		return false
	}
	r := m.rand.half()
	lines := r>>31 == 0
	from, to := agMutField(theirs, m.rand.below(len(theirs)), lines)
	if from == to {
		return false
	}
	at, end := agMutField(ours, m.rand.below(len(ours)+1), lines)
	if r>>30&1 == 0 {
		at = end
		if from > 0 {
			from--
		}
	}
	if to-from-(end-at) > m.room(in) || agMutSame(theirs[from:to], ours[at:end]) {
		return false
	}
	in.splice(i, in.begin(i)+at, in.begin(i)+end, theirs[from:to])
	return true
}
