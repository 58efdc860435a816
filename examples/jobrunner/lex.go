package jobrunner

import "errors"

// word is one word of a step. A word that began with a quote is never a flag.
type word struct {
	text   string
	quoted bool
}

// splitWords splits one line into words. Spaces and tabs separate words, a # at the start of a word
// begins a comment, and double quotes keep what is between them together. Between quotes a backslash
// takes the next character literally, except for \n and \t; elsewhere it is a character like others.
func splitWords(line string) ([]word, error) {
	var words []word
	for i := 0; i < len(line); {
		if isBlank(line[i]) {
			i++
			continue
		}
		if line[i] == '#' {
			break
		}
		if len(words) == MaxWords {
			return nil, errors.New("too many words")
		}
		w, next, err := lexWord(line, i)
		if err != nil {
			return nil, err
		}
		words = append(words, w)
		i = next
	}
	return words, nil
}

// lexWord reads the word that starts at line[i] and returns it with the index just after it.
func lexWord(line string, i int) (word, int, error) {
	quoted, open := line[i] == '"', false
	var text []byte
	for ; i < len(line); i++ {
		c := line[i]
		if !open && isBlank(c) {
			break
		}
		switch {
		case c == '"':
			open = !open
		case c == '\\' && open:
			// PLANTED BUG 1 (shallow): a backslash that ends the line has no next character, and
			// line[i] is out of range. The right code checks i+1 < len(line) first.
			i++
			text = append(text, unescape(line[i]))
		default:
			text = append(text, c)
		}
	}
	if open {
		return word{}, i, errors.New("a quote is not closed")
	}
	return word{string(text), quoted}, i, nil
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	}
	return c
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r'
}
