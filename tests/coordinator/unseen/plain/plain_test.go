package plain

import "testing"

func FuzzChild(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := Child(data); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzRuntime(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(_ *testing.T, data []byte) { Runtime(data) })
}
