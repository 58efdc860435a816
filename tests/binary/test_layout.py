"""Where the runtime keeps a goroutine's number: the table against each release's DWARF."""

from __future__ import annotations

import pytest

from gofuzzsec import toolchain
from gofuzzsec.binary import GoLayout, GoProgram
from gofuzzsec.binary.dwarf import field_offsets
from gofuzzsec.binary.layout import KNOWN, go_layout, known_layout
from gofuzzsec.errors import BinaryError
from gofuzzsec.toolchain.model import Go
from tests.binary.programs import Source
from tests.go_versions import RELEASES, release

INSTALLED = [v for v in KNOWN if (RELEASES / v / "go" / "bin" / "go").is_file()]


@pytest.fixture(params=["machine", *INSTALLED])
def every_go(request: pytest.FixtureRequest) -> Go:
    """Each Go that is installed, whether or not the other tests run with it."""
    return toolchain.find_go() if request.param == "machine" else release(request.param)


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_the_table_says_what_the_debugging_information_says(
    sources: Source, every_go: Go, arch: str
) -> None:
    minor = f"{every_go.version[0]}.{every_go.version[1]}"
    path = sources.build(every_go, "small", f"small-{every_go.text}-{arch}", GOARCH=arch)
    program = GoProgram.read(path)
    found = field_offsets(program.elf, "runtime.g", "runtime.gobuf", "runtime.stack")
    g, gobuf, stack = (found[f"runtime.{name}"] for name in ("g", "gobuf", "stack"))
    assert GoLayout(g["goid"], g["parentGoid"]) == KNOWN[minor] == go_layout(program)
    assert (g["stack"], stack["lo"], stack["hi"]) == (0, 0, 8)
    assert (gobuf["sp"], gobuf["pc"], gobuf["g"]) == (0, 8, 16)


def test_a_stripped_program_is_told_by_its_version(plain: GoProgram, stripped: GoProgram) -> None:
    assert field_offsets(stripped.elf, "runtime.g") == {}
    assert go_layout(stripped) == go_layout(plain)
    assert "runtime.none" not in field_offsets(plain.elf, "runtime.none")


def test_versions_that_were_not_measured_are_not_guessed() -> None:
    assert known_layout("go1.26.8") == known_layout("go1.26 X:nocoverageredesign") == KNOWN["1.26"]
    for version in (
        "go1.20.4",
        "go1.28",
        "go1.27rc1",
        "go1.26.8-acme",
        "devel go1.27-abc",
        "",
        "go1",
    ):
        assert known_layout(version) is None, version


def test_an_unknown_stripped_program_is_an_error(stripped: GoProgram, sources: Source) -> None:
    version = stripped.go_version.encode()
    data = stripped.path.read_bytes().replace(
        bytes([len(version)]) + version, bytes([len(version)]) + b"go1.99.9"[: len(version)]
    )
    path = sources.folder / "future"
    path.write_bytes(data)
    program = GoProgram.read(path)
    assert program.go_version == "go1.99.9"[: len(version)]
    with pytest.raises(BinaryError, match=r"expected .* Go 1\.21 to 1\.27 or to have debugging"):
        go_layout(program)
