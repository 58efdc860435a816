"""Inputs at rest: the values a Go fuzz target takes, and Go's corpus files that hold them.

`values` defines them with every bit kept. `format` writes and reads corpus files as Go's own
fuzzer does, to the byte, on top of `quote`, `floats`, `integers` and `reader` (literals of each
kind) and `printable` (Go's idea of a printable character). `directory` reads and writes folders of
such files and never trusts what it finds there.
"""

from gofuzzsec.corpus.directory import (
    CorpusFile,
    CorpusProblem,
    read_corpus,
    read_entry,
    types_of,
    write_entry,
)
from gofuzzsec.corpus.format import file_name, marshal, unmarshal
from gofuzzsec.corpus.printable import unicode_of_go
from gofuzzsec.corpus.values import GoType, Input, Value

__all__ = [
    "CorpusFile",
    "CorpusProblem",
    "GoType",
    "Input",
    "Value",
    "file_name",
    "marshal",
    "read_corpus",
    "read_entry",
    "types_of",
    "unicode_of_go",
    "unmarshal",
    "write_entry",
]
