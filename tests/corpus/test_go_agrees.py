"""Our reader and writer against Go's own.

A fuzz worker that is asked to minimise a failing input for one execution writes the values it
read back with Go's own marshaller; `go test -run` says which corpus files its reader refuses.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from gofuzzsec.corpus import GoType, Input, Value, file_name, marshal, unicode_of_go, unmarshal
from gofuzzsec.errors import CorpusError
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import Minimise, Worker
from tests import strategies
from tests.goprobe.fixtures import TARGETS, StartProbe, go_reads, said, show

ONE_WORKER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ALL = TARGETS["FuzzAll"]
TARGET_OF = {kinds[0]: name for name, kinds in TARGETS.items() if len(kinds) == 1}
HEADER = b"go test fuzz v1\n"


class Echo:
    """Go's own reading, and writing, of corpus files, by one worker of a target."""

    def __init__(self, worker: Worker, go: Go) -> None:
        self._worker = worker
        self.go = go

    def __call__(self, data: bytes) -> tuple[bytes, str]:
        """What Go writes after reading *data*, and the values it had in between."""
        outcome = self._worker.call(Minimise(60.0, 1, 0, None), data)
        assert outcome.wrote, outcome.message
        return outcome.data, said(outcome.message)

    def check(self, values: Input) -> None:
        """Assert that Go reads what we write, and would write the same."""
        data = marshal(values, unicode_of_go(self.go.text))
        assert unmarshal(data) == values
        assert self(data) == (data, show(values))


@pytest.fixture
def echo(start_probe: StartProbe, any_go: Go) -> Echo:
    return Echo(start_probe("FuzzAll", mode="always", shm_size=8 << 20), any_go)


def input_with(*values: Value) -> Input:
    """An input for FuzzAll with *values* in the places of their types, zeros elsewhere."""
    zero: dict[GoType, bytes | bool | int] = dict.fromkeys(ALL, 0)
    zero |= {GoType.BYTES: b"", GoType.STRING: b"", GoType.BOOL: False}
    zero |= {value.type: value.raw for value in values}
    return tuple(Value(kind, zero[kind]) for kind in ALL)


def is_quirk_of_1_26(value: Value, go: Go) -> bool:
    """Go 1.26 alone rounds this float32, half-way between two texts, upwards."""
    two_to_minus_12 = 0x39800000
    is_it = value.type is GoType.FLOAT32 and int(value.raw) & 0x7FFFFFFF == two_to_minus_12
    return is_it and go.version[:2] == (1, 26)


def test_values_of_every_type(echo: Echo) -> None:
    @ONE_WORKER
    @given(strategies.inputs(ALL))
    def agrees(values: Input) -> None:
        assume(not any(is_quirk_of_1_26(value, echo.go) for value in values))
        echo.check(values)

    agrees()


def test_code_points_of_all_scripts(echo: Echo) -> None:
    """That Go's and our printable tables agree on every code point is tested apart."""
    for start in (*range(0, 0x20000, 0x2000), 0x2A000, 0x30000, 0x33000, 0xE0000, 0x10E000):
        block = [code for code in range(start, start + 0x2000) if not 0xD800 <= code < 0xE000]
        text = "".join(map(chr, block)).encode()
        echo.check(input_with(Value(GoType.STRING, text), Value(GoType.RUNE, start)))


def test_every_pair_of_bytes(echo: Echo) -> None:
    data = b"".join(bytes([first, second, 0]) for first in range(256) for second in range(256))
    echo.check(input_with(Value(GoType.BYTES, data)))


def test_every_byte_and_small_rune(echo: Echo) -> None:
    for code in range(256):
        echo.check(input_with(Value(GoType.BYTE, code), Value(GoType.RUNE, code)))


def test_floats_around_every_power_of_two(echo: Echo) -> None:
    """Where rounding intervals are lopsided, and shortest digits hard."""
    for exponent in range(256):
        for offset in (-1, 0, 1):
            narrow = Value(GoType.FLOAT32, (exponent << 23) + offset & 0xFFFFFFFF)
            wide = Value(GoType.FLOAT64, (exponent * 8 << 52) + offset & (1 << 64) - 1)
            if not is_quirk_of_1_26(narrow, echo.go):
                echo.check(input_with(narrow, wide))


def test_shortest_float32_digits(echo: Echo) -> None:
    """The layouts change with the exponent: whole numbers, fractions, exponents."""
    for power in range(-46, 39):
        for digits in ("1", "9", "1.5", "1.2345678", "9.999999"):
            text = f"float32({digits}e{power})"
            try:
                (value,) = unmarshal(HEADER + text.encode())
            except CorpusError:
                assert power == 38
                continue
            echo.check(input_with(value))


def quoted(quote: str, longest: int) -> st.SearchStrategy[str]:
    """Literals between *quote* marks, of up to *longest* parts that belong there or do not."""
    return st.lists(_PARTS, max_size=longest).map(lambda parts: quote + "".join(parts) + quote)


_PARTS = st.sampled_from(
    [
        *(
            "a",
            "é",
            "\U0001f600",
            "\\n",
            "\\x41",
            "\\xff",
            "\\377",
            "\\u00e9",
            "\\U0010ffff",
            "\\\\",
        ),
        *("'", '"', "`", "\\", "\\x4", "\\400", "\\7", "\\u12", "\\ud800", "\\U00110000", "\\'"),
        *('\\"', "\\q", "\r", "\t", "\ufeff", "\0", "//", "/*"),
    ]
)
_NUMBERS = st.from_regex(r"\A(?:0[xXbBoO])?[0-9a-fpe_.+\-]{1,8}\Z") | st.sampled_from(
    [
        *("0", "-0", "255", "256", "1_000", "0x_ff", "0b1", "017", "08", "089.5", "0o17", "5i"),
        *("9223372036854775807", "9223372036854775808", "18446744073709551615", "1e400", "1e-400"),
        *("3.5e38", "0x1p-2", "0x1.8p3", "0x.8p1", "0x1.p1", ".5", "5.", "1e5_0", "16777217"),
    ]
)
_INTEGERS = st.integers(-(1 << 65), 1 << 65).map(str) | st.integers(-300, 300).map(str)
_CHARACTERS = st.one_of(quoted("'", 1), quoted("'", 1), quoted("'", 2))
_STRINGS = quoted('"', 4) | quoted("`", 3)
_NAMES = st.sampled_from(
    ["true", "false", "NaN", "Inf", "+Inf", "-Inf", "^Inf", "<-Inf", "- Inf", "&Inf", "&^Inf"]
)
_ANYTHING = st.one_of(_NUMBERS, _INTEGERS, _CHARACTERS, _STRINGS, _NAMES)
_FITTING = {
    "string": _STRINGS,
    "[ ] byte": _STRINGS,
    "[ ] uint8": _STRINGS,
    "[ 3 ] byte": _STRINGS,
    "bool": _NAMES,
    "byte": _CHARACTERS | _INTEGERS,
    "rune": _CHARACTERS | _INTEGERS,
    "float32": _NUMBERS | _NAMES,
    "float64": _NUMBERS | _NAMES,
    "uintptr": _INTEGERS,
    "math . Float32frombits": _NUMBERS | _INTEGERS,
    "math . Float64frombits": _NUMBERS | _INTEGERS,
    "math . Sqrt": _NUMBERS,
    **{f"int{size}": _NUMBERS | _INTEGERS for size in ("", 8, 16, 32, 64)},
    **{f"uint{size}": _NUMBERS | _INTEGERS for size in ("", 8, 16, 32, 64)},
}
_BLANKS = st.sampled_from([*[""] * 12, " ", "\t", "\r", "/**/", "/* a * b */", "\v"])
_SIGNS = st.sampled_from([*[""] * 8, "-", "+", "- -"]).map(str.split)
_ENDINGS = st.sampled_from([*[""] * 8, ",", "...", "... ,", ", ,", "+ 1"]).map(str.split)
_TRAILERS = st.sampled_from([*[""] * 12, "// end", "/* end", ";", ")", " 1", "\x1c", "\u3000"])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Lines of a corpus file that are right, or nearly."""
    spelling, fitting = draw(st.sampled_from(list(_FITTING.items())))
    argument = draw(_ANYTHING if draw(st.integers(0, 9)) == 0 else fitting)
    tokens = [*spelling.split(), "(", *draw(_SIGNS), argument, *draw(_ENDINGS), ")"]
    if draw(st.integers(0, 9)) == 0:
        del tokens[draw(st.integers(0, len(tokens) - 1))]
    blanks = draw(st.lists(_BLANKS, min_size=len(tokens), max_size=len(tokens)))
    parts = (blank + token for blank, token in zip(blanks, tokens, strict=True))
    line = bytearray(("".join(parts) + draw(_TRAILERS)).encode())
    if draw(st.integers(0, 9)) == 0:
        line[draw(st.integers(0, len(line) - 1))] = draw(st.integers(0, 255))
    return bytes(line).replace(b"\n", b"")


def ours(line: bytes) -> Value | None:
    try:
        return unmarshal(HEADER + line)[0]
    except CorpusError:
        return None


# Without shrinking: a failure names the one line, and shrinking 200 others takes minutes.
@settings(
    max_examples=25,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.lists(lines(), min_size=100, max_size=200, unique=True))
def test_the_same_lines_are_read_and_mean_the_same(probe: FuzzBinary, batch: list[bytes]) -> None:
    # Go would say the number of values is wrong, which is no question here.
    files = {file_name(HEADER + line): line for line in batch if line.strip(b" \t\v\r\x1c")}
    meanings = {name: ours(line) for name, line in files.items()}
    with TemporaryDirectory() as folder:
        contents = {"FuzzBool": [HEADER + line for line in files.values()]}
        _, refused = go_reads(probe, Path(folder), contents)
    for name, line in files.items():
        unreadable = refused.get(name, "").startswith("unmarshal:")
        assert (meanings[name] is None) == unreadable, (line, meanings[name], refused.get(name))
    by_target: dict[str, list[bytes]] = {}
    for name, value in meanings.items():
        if value is not None:
            by_target.setdefault(TARGET_OF[value.type], []).append(HEADER + files[name])
    assume(by_target)
    with TemporaryDirectory() as folder:
        values, refused = go_reads(probe, Path(folder), by_target)
    assert not refused
    assert values == {name: show([value]) for name, value in meanings.items() if value is not None}
