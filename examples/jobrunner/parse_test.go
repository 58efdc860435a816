package jobrunner

import (
	"strings"
	"testing"
)

func TestParseCountsSteps(t *testing.T) {
	tests := []struct {
		name, text string
		want       int
	}{
		{"nothing", "", 0},
		{"comments and blank lines", "# a comment\n\n   \n\techo hi # another\n", 1},
		{"windows line ends", "echo a\r\necho b\r\n", 2},
		{"repeat", "repeat 3\necho a\necho b\nend", 6},
		{"repeats inside one another", "repeat 2\necho a\nrepeat 3\necho b\nend\nend", 8},
		{"repeat 0 times", "repeat 0\necho a\nend\necho b", 1},
		{"short verbs, any case", "EC hi\nApp log x\nwr log y", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			job, err := Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if job.Len() != test.want {
				t.Errorf("%d steps, want %d", job.Len(), test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"dance", `line 1: no verb is called "dance"`},
		{"echo a\ns b", `line 2: no verb is called "s"`},
		{"copy a", "line 1: copy needs 2 arguments"},
		{"mkdir -z a", "line 1: mkdir has no flag -z"},
		{`echo "open`, "line 1: a quote is not closed"},
		{"echo 1 2 3 4 5 6 7 8", "line 1: too many words"},
		{"repeat x\nend", `line 1: "x" is not a number`},
		{`repeat ""` + "\nend", "line 1: a number is missing"},
		{"repeat 2\necho a", "a repeat has no end"},
		{"echo a\nend", "line 2: an end without a repeat"},
		{"repeat 2\nend", "line 2: nothing to repeat"},
		{"repeat 2147483647\necho a\necho b\nend", "line 4: more than 64 steps after repeats"},
		{"repeat 65\necho a\nend", "line 3: more than 64 steps after repeats"},
		{strings.Repeat("echo a\n", 65), "line 65: more than 64 steps"},
		{strings.Repeat("repeat 2\n", 5), "line 5: more than 4 repeats inside one another"},
		{strings.Repeat("#", MaxText+1), "a job has at most 4096 bytes, this one has 4097"},
	}
	for _, test := range tests {
		_, err := Parse(test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("Parse(%.20q...): %v, want %s", test.text, err, test.want)
		}
	}
}

func TestSplitWords(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{`a  b	c`, []string{"a", "b", "c"}},
		{`"a b" c`, []string{"a b", "c"}},
		{`one"two three"four`, []string{"onetwo threefour"}},
		{`""`, []string{""}},
		{`"a\ b" "\"" "\\" c\d`, []string{"a b", `"`, `\`, `c\d`}},
		{`"line\n\ttab"`, []string{"line\n\ttab"}},
		{`a#b # c`, []string{"a#b"}},
	}
	for _, test := range tests {
		words, err := splitWords(test.line)
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		var got []string
		for _, w := range words {
			got = append(got, w.text)
		}
		if strings.Join(got, "|") != strings.Join(test.want, "|") {
			t.Errorf("%s: %q, want %q", test.line, got, test.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "07": 7, "64": 64, "4096": 4096} {
		if got, err := number(text, 4096); err != nil || got != want {
			t.Errorf("number(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "+1", "1 ", "0x1", "4097", "1e3", "99999999999999999999"} {
		if got, err := number(text, 4096); err == nil {
			t.Errorf("number(%q) = %d", text, got)
		}
	}
}

// Every verb must be found by its own name and by its shortest form, and by no shorter one.
func TestVerbNames(t *testing.T) {
	for v := verbAppend; int(v) < len(verbs); v++ {
		name := verbs[v].name
		shortest := 1
		for other := verbAppend; int(other) < len(verbs); other++ {
			for other != v && strings.HasPrefix(verbs[other].name, name[:shortest]) {
				shortest++
			}
		}
		for n := 0; n <= len(name); n++ {
			want := verbNone
			if n >= shortest {
				want = v
			}
			if got := verbOf(name[:n]); got != want {
				t.Errorf("verbOf(%q) = %d, want %d", name[:n], got, want)
			}
		}
		if got := verbOf(name + "s"); got != verbNone {
			t.Errorf("verbOf(%q) = %d, want none", name+"s", got)
		}
	}
}
