package fuzz

// agFails remembers which failures were reported, so that a target that fails often does not fill
// the results with the same one.
type agFails struct {
	seen  map[uint64]int
	again map[uint64]uint64 // sights since they were last told
	order []uint64          // of again, so that records come in the order of sights
}

const (
	agMostText    = 256 << 10 // bytes of a failure's text that are told
	agFullReports = 2         // of one failure; the coordinator confirms the first, the second is for luck
	agMostFails   = 4096      // different ones; later ones are not told
)

// see returns the key of a failure and whether it deserves a full report.
func (f *agFails) see(text string) (key uint64, report bool) {
	key = agFailKey(text)
	if f.seen == nil {
		f.seen, f.again = map[uint64]int{}, map[uint64]uint64{}
	}
	n, known := f.seen[key]
	if !known && len(f.seen) >= agMostFails {
		return key, false
	}
	f.seen[key] = n + 1
	if n < agFullReports {
		return key, true
	}
	if f.again[key] == 0 {
		f.order = append(f.order, key)
	}
	f.again[key]++
	return key, false
}

// agFailKey hashes a failure's text without what depends on the input: digits, hexadecimal numbers
// and quoted text. It keeps line numbers, which tell the failures of one test apart. Coarse on
// purpose; the coordinator tells failures apart more carefully.
func agFailKey(text string) uint64 {
	const most = 4096
	if len(text) > most {
		text = text[:most]
	}
	h := uint64(14695981039346656037)
	quoted, line := false, false
	for i := 0; i < len(text); i++ {
		b := text[i]
		line = b >= '0' && b <= '9' && (line || i >= 4 && text[i-4:i] == ".go:")
		if b == '"' {
			quoted = !quoted
		}
		if b == '\n' {
			quoted = false
		}
		digit := b >= '0' && b <= '9' || (b|0x20) >= 'a' && (b|0x20) <= 'f'
		if quoted || digit && !line {
			continue
		}
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// agTold is the set of constants already told to the coordinator.
type agTold struct{ seen map[string]bool }

const (
	agMostTokens   = 2048
	agLongestToken = 128
)

// add reports whether t is new and worth telling.
func (s *agTold) add(t []byte) bool {
	if len(t) == 0 || len(t) > agLongestToken || s.seen[string(t)] || len(s.seen) >= agMostTokens {
		return false
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[string(t)] = true
	return true
}
