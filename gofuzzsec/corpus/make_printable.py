"""Makes ``printable.json``: ``python -m gofuzzsec.corpus.make_printable GO [GO...]``.

Each GO is a ``go`` program of another Unicode version. It runs a few lines of Go that ask
``strconv.IsPrint`` about every code point.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from gofuzzsec.files import write_atomic

PROGRAM = """package main

import (
	"fmt"
	"strconv"
	"unicode"
)

// Prints the Unicode version, then the lengths of the runs of code points
// that are not printable, printable, not printable, and so on.
func main() {
	fmt.Println(unicode.Version)
	run, printable := 0, false
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if strconv.IsPrint(r) != printable {
			fmt.Println(run)
			run, printable = 0, !printable
		}
		run++
	}
}
"""


def ask(go: str) -> tuple[str, list[int]]:
    """The Unicode version of *go* and its run lengths. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "main.go")
        source.write_text(PROGRAM)
        run = subprocess.run([go, "run", str(source)], check=True, capture_output=True, text=True)
    version, *lengths = run.stdout.split()
    return version, [int(length) for length in lengths]


def main(programs: list[str]) -> None:
    """Write the tables of all *programs* beside this file."""
    document = {
        "source": "strconv.IsPrint of Go's standard library; made by make_printable.py",
        "meaning": "lengths of alternating runs of code points from 0: not printable, printable",
        "runs": dict(sorted(ask(go) for go in programs)),
    }
    text = json.dumps(document, separators=(",", ":")).replace(',"', ',\n"') + "\n"
    write_atomic(Path(__file__).with_name("printable.json"), text.encode("ascii"))


if __name__ == "__main__":
    main(sys.argv[1:])
