package fuzz

import (
	"strings"
	"sync"
	"testing"
)

func TestRecordsKeepOperandsAndOrder(t *testing.T) {
	agCmpReset()
	agTraceInt(4, 7, 9, 1, true)
	agTraceStr("left", strings.Repeat("r", 500), 2, true)
	agTraceInt(4, 8, 9, 1, true)
	recs := agCmpRecords()
	if len(recs) != 3 {
		t.Fatalf("%d records, want 3", len(recs))
	}
	if r := recs[0]; r.a != 7 || r.b != 9 || r.width != 4 || r.flags != agCmpConst || r.nth != 0 {
		t.Errorf("first record is %+v", r)
	}
	if r := &recs[1]; r.a != 4 || r.b != 500 || r.flags != agCmpFold ||
		string(agLiveText(r, 0)) != "left" || len(agLiveText(r, 1)) != agCmpText {
		t.Errorf("second record is %+v", *r)
	}
	if recs[2].nth != 1 || recs[2].site != recs[0].site {
		t.Errorf("third record is %+v, want the second visit of the first's site", recs[2])
	}
}

func TestSitesOfOtherWidthsDiffer(t *testing.T) {
	agCmpReset()
	agTraceInt(4, 7, 9, 1, false)
	agTraceInt(8, 7, 9, 1, false)
	agTraceStr("a", "b", 1, false)
	recs := agCmpRecords()
	if recs[0].site == recs[1].site || recs[1].site == recs[2].site || recs[0].site == recs[2].site {
		t.Errorf("sites %x, %x, %x", recs[0].site, recs[1].site, recs[2].site)
	}
}

func TestHotSiteLeavesRoomAndShowsItsEnd(t *testing.T) {
	agCmpReset()
	const visits = 1 << 20
	for i := 0; i < visits; i++ {
		agTraceInt(4, uint64(i), 0, 1, false)
	}
	agTraceInt(4, 1, 2, 77, false)
	recs := agCmpRecords()
	if len(recs) != agCmpFirst+agCmpLate+1 {
		t.Fatalf("%d records, want %d", len(recs), agCmpFirst+agCmpLate+1)
	}
	seen := false
	for _, r := range recs {
		seen = seen || r.a == visits-1 && r.nth == visits-1
	}
	if !seen {
		t.Error("the last visit is not recorded")
	}
}

func TestFullLogDropsAndCounts(t *testing.T) {
	agCmpReset()
	long := strings.Repeat("x", 2*agCmpText)
	for site := uint(0); site < 2*agCmpMax; site++ {
		agTraceStr(long, long, site, false)
	}
	if len(agCmpRecords()) != agCmpMax {
		t.Errorf("%d records, want %d", len(agCmpRecords()), agCmpMax)
	}
	if agCmpDropped() == 0 {
		t.Error("nothing was dropped")
	}
	for i := range agCmpRecords() {
		r := &agCmpRecords()[i]
		if kept := len(agLiveText(r, 0)); kept != 0 && kept != agCmpText {
			t.Fatalf("record %d keeps %d bytes", i, kept)
		}
	}
	agCmpReset()
	if len(agCmpRecords()) != 0 || agCmpDropped() != 0 {
		t.Error("the log is not empty after agCmpReset")
	}
}

func TestMutedSiteIsNotRecorded(t *testing.T) {
	defer agCmpUnmuteAll()
	agCmpReset()
	agTraceInt(4, 1, 2, 5, false)
	agCmpMute(agCmpRecords()[0].site)
	if !agCmpIsMuted(agCmpRecords()[0].site) {
		t.Error("the site does not count as muted")
	}
	agCmpReset()
	agTraceInt(4, 1, 2, 5, false)
	agTraceInt(4, 1, 2, 6, false)
	if len(agCmpRecords()) != 1 {
		t.Errorf("%d records, want that of the other site only", len(agCmpRecords()))
	}
}

func TestHooksDoNotAllocate(t *testing.T) {
	agCmpReset()
	text := []byte("some text")
	if n := testing.AllocsPerRun(100, func() {
		agTraceInt(8, 1, 2, 3, false)
		agTraceStr(string(text), "other", 4, false)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHooksFromManyGoroutines(t *testing.T) {
	agCmpReset()
	var group sync.WaitGroup
	for g := uint(0); g < 4; g++ {
		g := g
		group.Add(1)
		go func() {
			defer group.Done()
			for i := uint(0); i < 20000; i++ {
				agTraceInt(4, uint64(i), 1, i%3000*4+g, false)
				agTraceStr("one", "two", i, false)
			}
		}()
	}
	group.Wait()
	var trace agTrace
	trace.take()
	if len(trace.recs) != agCmpMax {
		t.Errorf("%d records, want a full log", len(trace.recs))
	}
}

func TestTraceFindsItsRecords(t *testing.T) {
	agCmpReset()
	for site := uint(0); site < 500; site++ {
		for n := uint64(0); n < 5; n++ {
			agTraceInt(4, n, uint64(site), site, false)
		}
	}
	var trace agTrace
	trace.take()
	agCmpReset()
	for i := range trace.recs {
		r := &trace.recs[i]
		if at := trace.find(r.site, r.nth); at != i {
			t.Fatalf("record %d was found at %d", i, at)
		}
	}
	if at := trace.find(12345, 0); at != -1 {
		t.Errorf("a record that is not there was found at %d", at)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		r      agCmp
		byBits bool
		want   uint64
	}{
		{agCmp{width: 4, a: 3, b: 10}, false, 7},
		{agCmp{width: 4, a: 10, b: 3}, false, 7},
		{agCmp{width: 1, a: 255, b: 1}, false, 2},
		{agCmp{width: 8, a: ^uint64(0), b: 0}, false, 1},
		{agCmp{width: 4, a: 0xF0, b: 0x0F}, true, 8},
	} {
		if got := agDistance(&c.r, c.byBits); got != c.want {
			t.Errorf("distance of %#x and %#x (by bits: %v) is %d, want %d", c.r.a, c.r.b, c.byBits, got, c.want)
		}
	}
}
