package fuzz

import (
	"bufio"
	"os"
	"testing"
)

func TestServingOverPipes(t *testing.T) {
	s := coreBytes(t, nested)
	requests, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, replies, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.serve(int(requests.Fd()), int(replies.Fd())) }()
	lines := bufio.NewReader(out)
	ask := func(kind uint64) string {
		*s.mem.word(agWordRequest) = kind
		*s.mem.word(agWordRequestLen) = 0
		if _, err := in.WriteString("!\n"); err != nil {
			t.Fatal(err)
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	if line := ask(0); line != "ok\n" {
		t.Errorf("the answer is %q", line)
	}
	if line := ask(12345); line == "ok\n" {
		t.Error("a request of no kind is done")
	}
	if line := ask(0); line != "ok\n" {
		t.Errorf("after a request of no kind the answer is %q", line)
	}
	in.Close()
	if err := <-ended; err != nil {
		t.Errorf("the end of requests is an error: %v", err)
	}
	for _, f := range []*os.File{requests, out, replies} {
		f.Close()
	}
	if agWriteAll(-1, "x") == nil || agWriteAll(-1, "") != nil {
		t.Error("a reply that cannot be written is no error")
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	s := coreBytes(t, nested)
	good := corePlan{items: []coreItem{{id: 1, energy: 1, input: simBytes("x")}}}.body()
	for n := 0; n < len(good); n++ {
		if s.ask(agRequestPlan, good[:n]) {
			t.Errorf("%d of %d bytes of a plan are accepted", n, len(good))
		}
	}
	if s.runs != 0 {
		t.Errorf("%d executions for plans that make no sense", s.runs)
	}
	endless := append([]byte(nil), good...)
	agPut64(endless[48:], 1<<63) // items
	if s.ask(agRequestPlan, endless) || s.ask(99, nil) {
		t.Error("accepted")
	}
	*s.mem.word(agWordRequest) = agRequestPlan
	*s.mem.word(agWordRequestLen) = 1 << 63
	if s.answer() {
		t.Error("a request longer than its area is accepted")
	}
	if !s.ask(0, nil) {
		t.Error("a question whether anybody is there is refused")
	}
}
