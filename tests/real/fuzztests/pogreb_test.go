// Copied into github.com/akrylysov/pogreb by test_round_trip.py: what a store is asked to do, from
// any bytes: pairs of an operation and a length, each followed by a key.
package pogreb_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/akrylysov/pogreb"
)

func FuzzStore(f *testing.F) {
	f.Add([]byte("\x00\x03one\x01\x03one\x02\x03one\x05\x00\x06\x00"))
	f.Add([]byte("\x00\x01a\x00\x01b\x03\x01a\x04\x00\x07\x00\x01\x01b"))
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, ops []byte) {
		path := filepath.Join(folder, "db")
		defer os.RemoveAll(path)
		db, err := pogreb.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for step := 0; step < 32 && len(ops) >= 2; step++ {
			op, length := ops[0]%8, int(ops[1])
			ops = ops[2:]
			length = min(length, len(ops))
			key := ops[:length]
			ops = ops[length:]
			switch op {
			case 0:
				err = db.Put(key, bytes.Repeat(key, 20))
			case 1:
				_, err = db.Get(key)
			case 2:
				_, err = db.Has(key)
			case 3:
				err = db.Delete(key)
			case 4:
				_, err = db.Compact()
			case 5:
				err = db.Sync()
			case 6:
				for it := db.Items(); ; {
					if _, _, end := it.Next(); end != nil {
						break
					}
				}
			case 7:
				if err = db.Close(); err == nil {
					db, err = pogreb.Open(path, nil)
				}
			}
			if err != nil {
				t.Fatalf("operation %d: %v", op, err)
			}
		}
		db.Close()
	})
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
