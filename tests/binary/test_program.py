"""What programs built in many ways say of themselves, against what Go's own tools say."""

from __future__ import annotations

import gc
import subprocess
from pathlib import Path

import pytest

from gofuzzsec.binary import GoProgram, function_probe
from gofuzzsec.binary.buildinfo import Module, read_build_info
from gofuzzsec.binary.table import is_short_for, plain_name
from gofuzzsec.errors import BinaryError
from gofuzzsec.toolchain.model import Go
from tests.binary.programs import Source
from tests.requirements import require_cgo

FUNCTIONS = (
    "main.main",
    "main.Outer",
    "main.(*Box[...]).Get",
    "main.(*Base).Close",
    "example.org/probe/inner%2ev2.Twice",
    "runtime.newproc1",
)


def nm(go: Go, program: GoProgram) -> dict[str, tuple[int, int]]:
    """Address and size of functions as Go's own tool lists them."""
    command = [str(go.path), "tool", "nm", "-size", str(program.path)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = (row.split(maxsplit=3) for row in listed.splitlines())
    return {row[3]: (int(row[0], 16), int(row[1])) for row in rows if row[2:3] in (["T"], ["t"])}


def test_each_variant_has_its_functions(variant: GoProgram) -> None:
    assert variant.stripped is (
        "plain" not in variant.path.name and variant.path.name[-5:] != "arm64"
    )
    assert variant.position_independent is variant.path.name.endswith("pie")
    assert variant.arch == ("arm64" if "arm64" in variant.path.name else "amd64")
    assert not variant.has_cgo
    assert len(variant.functions) > 1500
    for name in FUNCTIONS:
        (function,) = variant.functions.named(name)
        assert function.name == name
        assert not function.generated
        assert variant.functions.at(function.address) == function
        assert variant.functions.at(function.end - 1) == function
        assert len(variant.code(function)) == function.size
        assert variant.read_memory(function.address, 4) == variant.code(function)[:4]
        assert (
            variant.path.read_bytes()[variant.file_offset(function.address) :][:4]
            == (variant.code(function)[:4])
        )
    assert not any(" " in name for name in variant.functions.names)
    assert variant.functions.at(0) is variant.functions.at(1 << 63) is None


def test_addresses_and_sizes_are_those_of_go_nm(go: Go, plain: GoProgram) -> None:
    listed = nm(go, plain)
    found = {(f.address, f.size) for f in plain.functions}
    missing = {name for name, place in listed.items() if place not in found and place[1]}
    # Markers of the linker's, not functions: the ends of the code.
    assert missing <= {"runtime.text", "runtime.etext", "go:textfipsstart", "go:textfipsend"}
    assert len(found) > 1500


def test_a_wrapper_stands_back_behind_what_it_wraps(plain: GoProgram) -> None:
    every = [f for f in plain.functions if f.name == "runtime.goexit1"]
    assert sorted(f.generated for f in every) == [False, True]  # of the two calling conventions
    assert plain.functions.named("runtime.goexit1") == tuple(f for f in every if not f.generated)
    (method,) = plain.functions.named("main.(*Derived).Close")
    assert method.size > 0


def test_build_information(go: Go, variant: GoProgram) -> None:
    build = variant.build
    assert build.go_version == variant.go_version
    assert build.path == "example.org/probe"
    assert build.main is not None
    assert (build.main.path, build.modules) == ("example.org/probe", ())
    assert build.settings["GOARCH"] == variant.arch
    assert build.settings["CGO_ENABLED"] == "0"
    if variant.path.name.endswith("stripped"):
        assert build.settings["-ldflags"] == "-s -w"
    said = subprocess.run(
        [go.path, "tool", "buildid", variant.path], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert variant.build_id == said


def test_modules_and_quoted_settings(sources: Source, go: Go, plain: GoProgram) -> None:
    text = (
        "path\texample.org/x/cmd\nmod\texample.org/x\tv1.2.3\th1:abc=\n"
        "dep\tgithub.com/a/b\tv0.1.0\th1:def=\ndep\tgithub.com/c/d\tv2.0.0\n"
        "=>\tgithub.com/fork/d\tv2.0.1\th1:ghi=\nbuild\t-tags=one,two\n"
        'build\tCGO_CFLAGS="-O2 \\"x\\""\nbuild\t"odd key"=`va lue`\nbuild\tvcs.revision=cafe\n'
    )
    data = b"#" * 16 + text.encode() + b"#" * 16
    size = bytes([len(data) & 127 | 128, len(data) >> 7])
    info = b"\xff Go buildinf:" + b"\x08\x02" + bytes(16) + b"\x08go1.99.3" + size + data
    section = plain.elf.section(b".go.buildinfo")
    assert section is not None
    image = bytearray(plain.path.read_bytes())
    image[section.offset : section.offset + len(info)] = info
    changed = sources.folder / "changed"
    changed.write_bytes(image)
    # The section must hold it all: its header is the last thing that says how long it is.
    where = image.find(section.offset.to_bytes(8, "little") + section.size.to_bytes(8, "little"))
    image[where + 8 : where + 16] = len(info).to_bytes(8, "little")
    changed.write_bytes(image)
    build = read_build_info(type(plain).read(changed).elf)
    assert build.go_version == "go1.99.3"
    assert build.main == Module("example.org/x", "v1.2.3", "h1:abc=")
    fork = Module("github.com/fork/d", "v2.0.1", "h1:ghi=")
    assert build.modules == (
        Module("github.com/a/b", "v0.1.0", "h1:def="),
        Module("github.com/c/d", "v2.0.0", "", fork),
    )
    assert build.settings == {
        "-tags": "one,two",
        "CGO_CFLAGS": '-O2 "x"',
        "odd key": "va lue",
        "vcs.revision": "cafe",
    }


@pytest.mark.parametrize("flags", [(), ("-buildmode=pie", "-ldflags=-s -w -linkmode=external")])
def test_programs_with_c_in_them(any_go: Go, sources: Source, flags: tuple[str, ...]) -> None:
    require_cgo()
    name = f"cgo-{any_go.version[1]}-{len(flags)}"
    program = GoProgram.read(sources.build(any_go, "cgo", name, *flags, CGO_ENABLED="1"))
    assert program.has_cgo
    assert program.position_independent is bool(flags)
    assert program.build.settings["CGO_ENABLED"] == "1"
    (main,) = program.functions.named("main.main")
    assert program.frames(main.address + main.size - 1, call=False)[-1].function == "main.main"
    # The C compiler's own functions are known by the symbol table alone.
    assert bool(program.functions.named("_start")) is not program.stripped
    if not program.stripped:
        (start,) = program.functions.named("_start")
        assert start.assembly
        assert [str(f) for f in program.frames(start.address, call=False)] == ["_start"]


def test_the_race_detectors_runtime_is_no_hindrance(go: Go, sources: Source) -> None:
    require_cgo()
    program = GoProgram.read(sources.build(go, "small", "race", "-race", CGO_ENABLED="1"))
    assert program.build.settings["-race"] == "true"
    assert len(program.functions.named("main.main")) == 1
    assert any(f.name.startswith("__tsan") for f in program.functions)


def test_a_program_that_was_built_anew_is_not_mixed_up(sources: Source, small: Path) -> None:
    path = sources.folder / "replaced"
    path.write_bytes(small.read_bytes())
    program = GoProgram.read(path)
    (main,) = program.functions.named("main.main")
    path.write_bytes(small.read_bytes() + b"more")
    with pytest.raises(BinaryError, match="changed since it was first read"):
        program.code(main)
    path.write_bytes(small.read_bytes())
    program = GoProgram.read(path)
    path.unlink()
    assert len(program.code(main)) == main.size, "the file is still there for who has it open"


def test_files_are_closed_when_nobody_needs_them(small: Path) -> None:
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        program = GoProgram.read(small)
        (main,) = program.functions.named("main.main")
        assert program.frames(main.address, call=False)
        assert function_probe(program, main).inlined_into == 0
    del program
    assert len(list(Path("/proc/self/fd").iterdir())) <= before, "without a collection"


def test_names() -> None:
    assert plain_name("a/b.Map[go.shape.int,map[string]c/d.T].func1") == "a/b.Map[...].func1"
    assert plain_name("main.main") == "main.main"
    assert plain_name("go:(*struct { io.Reader; a.n int }).Read") == "go:(*struct{...}).Read"
    assert plain_name("type:.eq.[2]interface {}") == "type:.eq.[...]interface{...}"
    for short, name in (
        ("Foo", "a.b/c.Foo"),
        ("c.Foo", "a.b/c.Foo"),
        ("b/c.Foo", "a/b/c.Foo"),
        ("(*T).M", "a.b/c.(*T).M"),
        ("c.(*T).M", "a.b/c.(*T).M"),
        ("Foo.func1", "main.Foo.func1"),
        ("yaml.v3.Marshal", "gopkg.in/yaml.v3.Marshal"),
        ("Marshal", "gopkg.in/yaml.v3.Marshal"),
        ("main.Foo", "main.Foo"),
        ("Map[...]", "a/b.Map[...]"),
    ):
        assert is_short_for(short, name), (short, name)
    for short, name in (
        ("M", "a.b/c.(*T).M"),
        ("M", "c.T.M"),
        ("oo", "a/c.Foo"),
        ("func1", "main.Foo.func1"),
        ("v3.Marshal", "gopkg.in/yaml.v3.Marshal"),
        ("c/d.Foo", "a/bc/d.Foo"),
        ("", "main.main"),
    ):
        assert not is_short_for(short, name), (short, name)
