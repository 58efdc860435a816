package fuzz

import (
	"reflect"
	"testing"
)

// covNaive is what snapshot is to find: the features of counters, one counter at a time.
func covNaive(counters []byte) (features []uint32) {
	for i, n := range counters {
		for bit := 7; bit >= 0; bit-- {
			if n>>uint(bit) != 0 {
				features = append(features, uint32(8*i+bit))
				break
			}
		}
	}
	return features
}

func TestBucketsOfEveryByte(t *testing.T) {
	for n := 0; n < 256; n++ {
		want := uint64(0)
		for bit := 0; bit < 8; bit++ {
			if n>>uint(bit) != 0 {
				want = 1 << uint(bit)
			}
		}
		for lane := uint(0); lane < 64; lane += 8 {
			others := ^uint64(0) &^ (0xff << lane)
			got := agBuckets(uint64(n)<<lane | others)
			if got>>lane&0xff != want {
				t.Fatalf("bucket of %d in lane %d is %#x, want %#x", n, lane/8, got>>lane&0xff, want)
			}
			if got&others != others&0x8080808080808080 {
				t.Fatalf("%d in lane %d changed its neighbours: %#x", n, lane/8, got)
			}
		}
	}
}

func TestSnapshotAgainstNaive(t *testing.T) {
	rand := newAgRand(1)
	memory := make([]byte, 1024)
	for round := 0; round < 4000; round++ {
		from, n := rand.below(9), round%300
		for i := range memory {
			memory[i] = 0xEE // around the counters lies memory that is not ours
		}
		counters := memory[from : from+n]
		density := 1 + rand.below(40)
		for i := range counters {
			counters[i] = 0
			if rand.below(density) == 0 {
				counters[i] = byte(rand.next())
			}
		}
		want := covNaive(counters)
		c := newAgCoverage(counters, 0)
		c.snapshot()
		if got := c.features(nil); !reflect.DeepEqual(got, want) {
			t.Fatalf("%d counters at offset %d: features %v, want %v", n, from, got, want)
		}
		if c.fresh != (len(want) > 0) || !c.has(want) {
			t.Fatalf("fresh is %v with %d features", c.fresh, len(want))
		}
		for i, b := range memory {
			inside := i >= from && i < from+n
			if inside && b != 0 || !inside && b != 0xEE {
				t.Fatalf("byte %d is %#x after a snapshot of [%d, %d)", i, b, from, from+n)
			}
		}
	}
}

func TestKnownFeaturesAreNotFresh(t *testing.T) {
	rand := newAgRand(2)
	counters := make([]byte, 77)
	c := newAgCoverage(counters, 32)
	seen := map[uint32]bool{}
	for round := 0; round < 2000; round++ {
		for i := range counters {
			counters[i] = 0
			if rand.below(10) == 0 {
				counters[i] = byte(rand.next()) >> uint(rand.below(8))
			}
		}
		want := covNaive(counters)
		c.snapshot()
		c.calls = c.calls[:0]
		for f := uint32(0); f < 32; f++ {
			if rand.below(20) == 0 {
				c.calls = append(c.calls, f)
				want = append(want, uint32(c.padded)*8+f)
			}
		}
		c.judgeCalls()
		var fresh []uint32
		for _, f := range want {
			if !seen[f] {
				fresh = append(fresh, f)
			}
		}
		if got := c.freshFeatures(nil); !reflect.DeepEqual(got, fresh) || c.fresh != (len(fresh) > 0) {
			t.Fatalf("round %d: fresh are %v (%v), want %v", round, got, c.fresh, fresh)
		}
		if got := c.features(nil); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: features are %v, want %v", round, got, want)
		}
		// Learn only a part, so that something stays new for many rounds.
		if len(fresh) > 0 {
			part := fresh[:1+rand.below(len(fresh))]
			c.learn(part)
			for _, f := range part {
				seen[f] = true
			}
		}
	}
}

func TestHasAndCommon(t *testing.T) {
	counters := make([]byte, 100)
	counters[3], counters[12], counters[99] = 1, 5, 255
	c := newAgCoverage(counters, 16)
	c.snapshot()
	c.calls = append(c.calls, 2)
	call := uint32(c.padded) * 8
	all := []uint32{3 * 8, 12*8 + 2, 99*8 + 7, call + 2}
	if !c.has(all) || !c.has(nil) {
		t.Errorf("%v is not found in %v", all, c.features(nil))
	}
	for _, lacking := range []uint32{3*8 + 1, 4 * 8, 98*8 + 7, call + 1, 12 * 8} {
		if c.has([]uint32{lacking}) {
			t.Errorf("%d is found in %v", lacking, all)
		}
	}
	mixed := []uint32{0, 3 * 8, 12 * 8, 12*8 + 2, 99 * 8, 99*8 + 7, call + 1, call + 2}
	if got := c.common(mixed); !reflect.DeepEqual(got, all) {
		t.Errorf("common are %v, want %v", got, all)
	}
}

func TestLearningPastTheEndIsHarmless(t *testing.T) {
	c := newAgCoverage(make([]byte, 5), 3)
	c.learn([]uint32{1 << 30, uint32(len(c.known)) * 8})
	for i, b := range c.known {
		if b != 0 {
			t.Errorf("known[%d] is %#x", i, b)
		}
	}
	c.calls = append(c.calls, 1<<20) // from a table larger than was said
	c.judgeCalls()
	if c.fresh || len(c.freshFeatures(nil)) != 0 {
		t.Error("a system call beyond the table is fresh, for ever")
	}
}

func TestClearZeroesCounters(t *testing.T) {
	counters := []byte{1, 2, 3}
	c := newAgCoverage(counters, 0)
	c.clear()
	c.snapshot()
	if c.fresh || c.touched != 0 {
		t.Error("counts from before are seen")
	}
}

func TestSnapshotDoesNotAllocate(t *testing.T) {
	counters := make([]byte, 4096)
	c := newAgCoverage(counters, 64)
	allocations := testing.AllocsPerRun(100, func() {
		for i := 0; i < len(counters); i += 50 {
			counters[i] = 3
		}
		c.snapshot()
		c.judgeCalls()
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
