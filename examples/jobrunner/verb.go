package jobrunner

// verb says what a step does.
type verb uint8

const (
	verbNone verb = iota
	verbAppend
	verbChmod
	verbCopy
	verbCpus
	verbEcho
	verbEnd
	verbFifo
	verbHook
	verbHost
	verbLabel
	verbLimit
	verbLink
	verbList
	verbLock
	verbMemory
	verbMkdir
	verbMove
	verbNotify
	verbPoll
	verbRead
	verbRemove
	verbRepeat
	verbReserve
	verbServe
	verbSpace
	verbStat
	verbTimer
	verbTouch
	verbTruncate
	verbWait
	verbWho
	verbWrite
)

// verbs gives each verb's full name, how many arguments it needs at least, and its flags.
var verbs = [...]struct {
	name  string
	needs int
	flags string
}{
	verbAppend:   {"append", 2, "s"},
	verbChmod:    {"chmod", 2, "f"},
	verbCopy:     {"copy", 2, "fkp"},
	verbCpus:     {"cpus", 0, ""},
	verbEcho:     {"echo", 0, ""},
	verbEnd:      {"end", 0, ""},
	verbFifo:     {"fifo", 1, ""},
	verbHook:     {"hook", 0, ""},
	verbHost:     {"host", 0, ""},
	verbLabel:    {"label", 1, "l"},
	verbLimit:    {"limit", 0, ""},
	verbLink:     {"link", 2, "s"},
	verbList:     {"list", 0, "l"},
	verbLock:     {"lock", 1, "ps"},
	verbMemory:   {"memory", 1, "s"},
	verbMkdir:    {"mkdir", 1, "p"},
	verbMove:     {"move", 2, "nx"},
	verbNotify:   {"notify", 1, ""},
	verbPoll:     {"poll", 0, ""},
	verbRead:     {"read", 1, "amt"},
	verbRemove:   {"remove", 1, "r"},
	verbRepeat:   {"repeat", 1, ""},
	verbReserve:  {"reserve", 2, "p"},
	verbServe:    {"serve", 1, ""},
	verbSpace:    {"space", 0, "f"},
	verbStat:     {"stat", 1, "alx"},
	verbTimer:    {"timer", 0, ""},
	verbTouch:    {"touch", 1, ""},
	verbTruncate: {"truncate", 2, "f"},
	verbWait:     {"wait", 0, ""},
	verbWho:      {"who", 0, "p"},
	verbWrite:    {"write", 2, "arsvx"},
}

// verbOf recognises a verb, letter by letter as people type it: case does not matter, and a verb may
// be cut short anywhere after the letters that tell it from the others ("app", "re" is ambiguous).
func verbOf(s string) verb {
	switch letter(s, 0) {
	case 'a':
		return cut(s, verbAppend)
	case 'c':
		switch letter(s, 1) {
		case 'h':
			return cut(s, verbChmod)
		case 'o':
			return cut(s, verbCopy)
		case 'p':
			return cut(s, verbCpus)
		}
	case 'e':
		switch letter(s, 1) {
		case 'c':
			return cut(s, verbEcho)
		case 'n':
			return cut(s, verbEnd)
		}
	case 'f':
		return cut(s, verbFifo)
	case 'h':
		if letter(s, 1) != 'o' {
			return verbNone
		}
		switch letter(s, 2) {
		case 'o':
			return cut(s, verbHook)
		case 's':
			return cut(s, verbHost)
		}
	case 'l':
		return verbOfL(s)
	case 'm':
		switch letter(s, 1) {
		case 'e':
			return cut(s, verbMemory)
		case 'k':
			return cut(s, verbMkdir)
		case 'o':
			return cut(s, verbMove)
		}
	case 'n':
		return cut(s, verbNotify)
	case 'p':
		return cut(s, verbPoll)
	case 'r':
		return verbOfR(s)
	case 's':
		switch letter(s, 1) {
		case 'e':
			return cut(s, verbServe)
		case 'p':
			return cut(s, verbSpace)
		case 't':
			return cut(s, verbStat)
		}
	case 't':
		switch letter(s, 1) {
		case 'i':
			return cut(s, verbTimer)
		case 'o':
			return cut(s, verbTouch)
		case 'r':
			return cut(s, verbTruncate)
		}
	case 'w':
		switch letter(s, 1) {
		case 'a':
			return cut(s, verbWait)
		case 'h':
			return cut(s, verbWho)
		case 'r':
			return cut(s, verbWrite)
		}
	}
	return verbNone
}

func verbOfL(s string) verb {
	switch letter(s, 1) {
	case 'a':
		return cut(s, verbLabel)
	case 'i':
		switch letter(s, 2) {
		case 'm':
			return cut(s, verbLimit)
		case 'n':
			return cut(s, verbLink)
		case 's':
			return cut(s, verbList)
		}
	case 'o':
		return cut(s, verbLock)
	}
	return verbNone
}

func verbOfR(s string) verb {
	if letter(s, 1) != 'e' {
		return verbNone
	}
	switch letter(s, 2) {
	case 'a':
		return cut(s, verbRead)
	case 'm':
		return cut(s, verbRemove)
	case 'p':
		return cut(s, verbRepeat)
	case 's':
		return cut(s, verbReserve)
	}
	return verbNone
}

// cut returns v if s is the beginning of its name, else verbNone.
func cut(s string, v verb) verb {
	name := verbs[v].name
	if len(s) > len(name) {
		return verbNone
	}
	for i := 0; i < len(s); i++ {
		if letter(s, i) != name[i] {
			return verbNone
		}
	}
	return v
}

// letter returns s[i] as a small letter, and 0 past the end or for anything that is not a letter.
func letter(s string, i int) byte {
	if i >= len(s) {
		return 0
	}
	c := s[i] | 0x20
	if c < 'a' || c > 'z' {
		return 0
	}
	return c
}

// flags is a set of single-letter flags, a to z.
type flags uint32

func (f flags) has(c byte) bool { return f&(1<<(c-'a')) != 0 }

// flagsOf reads the letters after the dash of a flag word.
func flagsOf(s string, allowed string) (flags, bool) {
	var set flags
	for i := 0; i < len(s); i++ {
		c := letter(s, i)
		found := false
		for j := 0; j < len(allowed); j++ {
			found = found || allowed[j] == c
		}
		if !found {
			return 0, false
		}
		set |= 1 << (c - 'a')
	}
	return set, true
}
