package deep

import "testing"

func FuzzDeep(f *testing.F) {
	f.Add("a")
	f.Add("b")
	f.Fuzz(func(t *testing.T, text string) { Run(text) })
}

func FuzzNothing(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) { elsewhere(text) })
}

func FuzzWords(f *testing.F) {
	f.Add("list -a all")
	f.Add("show")
	f.Fuzz(func(t *testing.T, text string) { Command(text) })
}
