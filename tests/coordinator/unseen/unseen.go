// Package unseen makes system calls that no Go code of it shows: which ones depends on data that no
// instrumented branch looks at.
package unseen

// rare is 1 for the upper half of the values of data's first byte.
func rare(data []byte) int { return int((append(data, 0)[0]) >> 7) }
