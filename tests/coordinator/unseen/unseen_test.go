package unseen

import "testing"

func FuzzC(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(_ *testing.T, data []byte) { InC(data) })
}

func FuzzOnce(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(*testing.T, []byte) { Once() })
}

func FuzzDies(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(*testing.T, []byte) { Dies() })
}

func TestNothing(*testing.T) {}
