"""Where uprobes go: in every variant, and found by what somebody types."""

from __future__ import annotations

import re
import subprocess

import pytest

from gofuzzsec.binary import GoProgram, function_probe, probe_points, resolve
from gofuzzsec.binary.probes import function_exits
from gofuzzsec.binary.returns import disassembler
from gofuzzsec.errors import BinaryError, UsageError
from gofuzzsec.toolchain.model import Go
from tests.binary.programs import Source
from tests.requirements import require_cgo


def instruction(program: GoProgram, offset: int) -> str:
    """The instruction at an offset in the file."""
    code = program.path.read_bytes()[offset : offset + 16]
    _, _, name, _ = next(iter(disassembler(program.arch)(code, 0)))
    return name


def offsets_of(program: GoProgram, name: str) -> range:
    (function,) = program.functions.named(name)
    start = program.file_offset(function.address)
    return range(start, start + function.size)


def test_the_runtimes_places(variant: GoProgram) -> None:
    found = probe_points(variant)
    first = variant.functions.at(variant.entry)
    assert first is not None
    assert first.name == f"_rt0_{variant.arch}_linux"
    assert found.entry_address == variant.entry
    assert found.entry == variant.file_offset(variant.entry)
    assert found.newproc_returns
    for offset in found.newproc_returns:
        assert offset in offsets_of(variant, "runtime.newproc1")
        assert instruction(variant, offset) == "ret"
    assert found.recovery_gogo in offsets_of(variant, "runtime.recovery")
    assert (
        instruction(variant, found.recovery_gogo) == {"amd64": "call", "arm64": "bl"}[variant.arch]
    )
    assert found.goexit == offsets_of(variant, "runtime.goexit1").start
    assert found.coroexit is None, "no iter.Pull here"
    assert found.cgocall is None, "no C here"
    assert variant.inlined_into("runtime.newproc1") == variant.inlined_into("runtime.recovery") == 0


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_where_a_coroutine_ends(go: Go, sources: Source, arch: str) -> None:
    path = sources.build(go, "coroutine", f"coroutine-{arch}", GOARCH=arch)
    program = GoProgram.read(path)
    place = probe_points(program).coroexit
    ends = {
        function.address
        for function in program.functions.matching("runtime.coro*")
        if any(
            frame.function == "runtime.coroexit"
            for at in range(function.address, function.end)
            for frame in program.frames(at, call=False)
        )
        if function.name != "runtime.coroexit"
    }
    assert place in {program.file_offset(address) for address in ends}, "inlined there alone"
    assert len(ends) == program.inlined_into("runtime.coroexit") == 1


def test_places_where_go_goes_out_to_c(go: Go, sources: Source) -> None:
    require_cgo()
    flags = ("-buildmode=pie", "-ldflags=-s -w -linkmode=external")
    for name, chosen in (("cgo-in", ()), ("cgo-out", flags)):
        program = GoProgram.read(sources.build(go, "cgo", name, *chosen, CGO_ENABLED="1"))
        cgocall = probe_points(program).cgocall
        assert cgocall is not None
        assert cgocall.entry in offsets_of(program, "runtime.cgocall")[:32]
        assert {instruction(program, at) for at in cgocall.returns} == {"ret"}
        if chosen == ():
            (start,) = resolve(program, "_start")
            with pytest.raises(BinaryError, match="found a C function"):
                function_probe(program, start)


def test_a_functions_places(variant: GoProgram) -> None:
    (switch,) = resolve(variant, "main.Switch")
    probe = function_probe(variant, switch)
    assert probe.name == "main.Switch"
    assert probe.address == switch.address
    assert len(probe.returns) >= 4
    assert {instruction(variant, at) for at in probe.returns} == {"ret"}
    assert list(probe.returns) == sorted(set(probe.returns))
    assert probe.inlined_into == 0


def test_an_entry_is_cheap_and_before_the_stack_pointer_changes(variant: GoProgram) -> None:
    pushes = 0
    for function in variant.functions.matching("main.*"):
        entry = function_probe(variant, function).entry - variant.file_offset(function.address)
        before = disassembler(variant.arch)(variant.code(function)[:entry], 0)
        assert {name for _, _, name, _ in before} <= {"cmp", "lea", "jbe"}
        if entry:
            assert instruction(variant, entry + variant.file_offset(function.address)) == "push"
            pushes += 1
    assert bool(pushes) is (variant.arch == "amd64")


def test_a_wrapper_ends_where_what_it_jumps_to_ends(plain: GoProgram) -> None:
    (method,) = resolve(plain, "(*Base).Close")
    (wrapper,) = resolve(plain, "main.(*Derived).Close")
    assert function_exits(plain, wrapper).jumps[0][1] == method.address
    ends = set(function_probe(plain, wrapper).returns)
    assert ends >= set(function_probe(plain, method).returns)
    assert {instruction(plain, at) for at in ends} == {"ret"}


def test_a_jump_to_nobody_knows_where_is_an_end_itself(variant: GoProgram) -> None:
    (gogo,) = resolve(variant, "runtime.gogo")
    (leaving,) = function_probe(variant, gogo).returns
    assert instruction(variant, leaving) in ("jmp", "br")


def test_nothing_happens_in_an_idle_function(plain: GoProgram, go: Go) -> None:
    """Against what Go's own disassembler shows of each function that calls nothing."""
    listing = subprocess.run(
        [go.path, "tool", "objdump", plain.path], capture_output=True, text=True, check=True
    ).stdout
    parts = listing.split("TEXT ")[1:]
    code = {int(found[1], 16): part for part in parts if (found := re.search(r"\t0x(\w+)", part))}
    does = re.compile(r"\t(CALL|SYSCALL|JMP [^\t\n]*\(SB\))")
    idle = 0
    for function in plain.functions:
        text = code.get(function.address, "?")
        if function.assembly or "?" in text:
            continue
        exits = function_exits(plain, function)
        expected = not does.search(text)
        assert (not exits.calls and not exits.jumps) is expected, function.name
        idle += expected
    assert idle > 100
    (close,) = resolve(plain, "(*Base).Close")
    assert not function_probe(plain, close).idle
    (stub,) = [f for f in plain.functions if f.name.endswith("/linux.Syscall6")]
    assert not function_probe(plain, stub).idle
    (reset,) = plain.functions.named("runtime.(*wbBuf).reset")
    assert function_probe(plain, reset).idle


def test_inlined_copies_are_counted(variant: GoProgram) -> None:
    assert variant.inlined_into("main.deepest") == 1
    assert variant.inlined_into("main.Map[...]") == 1
    assert variant.inlined_into("main.Outer") == variant.inlined_into("main.none") == 0
    # By the frames of every address of the program's own functions.
    own = [f for f in variant.functions if f.name.startswith("main.")]
    for name in ("main.min", "main.deeper", "main.deep", "reflect.ValueOf"):
        holders = {
            f.address
            for f in own
            for at in range(f.address, f.end)
            if name in [frame.function for frame in variant.frames(at, call=False)[:-1]]
        }
        every = {variant.pclntab.entry(i) for i in variant._inlining.holders(name)}
        assert holders == every & {f.address for f in own}
        assert holders


def names(program: GoProgram, pattern: str) -> list[str]:
    return [function.name for function in resolve(program, pattern)]


@pytest.mark.parametrize("pattern", ["Twice", "inner.v2.Twice", "probe/inner.v2.Twice",
                                     "example.org/probe/inner%2ev2.Twice",
                                     "example.org/probe/inner.v2.Twice"])  # fmt: skip
def test_short_names(variant: GoProgram, pattern: str) -> None:
    assert names(variant, pattern) == ["example.org/probe/inner%2ev2.Twice"]


def test_methods_instances_and_globs(plain: GoProgram) -> None:
    assert names(plain, "(*Base).Close") == ["main.(*Base).Close"]
    assert names(plain, "main.(*Box[int]).Get") == names(plain, "(*Box[...]).Get")
    assert names(plain, "main.(*B*).*e") == ["main.(*Base).Close"]
    assert "main.(*Base).Close" not in names(plain, "main.*t*r")
    assert set(names(plain, "main.*er")) == {"main.Outer"}
    assert len(names(plain, "encoding/json.*")) > 100
    assert names(plain, "*/inner*.Tw*") == names(plain, "Twice")


def test_what_names_nothing_or_too_much(plain: GoProgram) -> None:
    with pytest.raises(UsageError, match=r"found none; did you mean main\.Outer"):
        resolve(plain, "main.Outter")
    with pytest.raises(UsageError, match=r"did you mean .*inner%2ev2\.Twice"):
        resolve(plain, "example.org/probe.Twise")
    with pytest.raises(UsageError, match=r"found none; `go tool nm`"):
        resolve(plain, "zzzzzzzzzzzzz.*")
    with pytest.raises(UsageError, match=r"found \d+: .*write more of the name"):
        resolve(plain, "init")
    with pytest.raises(UsageError, match=r"found none"):
        resolve(plain, "")


def test_what_cannot_be_probed_exactly(plain: GoProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    (outer,) = resolve(plain, "main.Outer")
    monkeypatch.setattr("gofuzzsec.binary.probes.MAX_PROBED", outer.size - 1)
    with pytest.raises(BinaryError, match=r"at most \d+ bytes, found \d+"):
        function_probe(plain, outer)


def test_data_among_code(plain: GoProgram, sources: Source) -> None:
    (outer,) = resolve(plain, "main.Outer")
    data = bytearray(plain.path.read_bytes())
    data[plain.file_offset(outer.address) + 1] = 0x06  # no instruction in 64-bit code
    data[plain.file_offset(outer.address)] = 0x06
    path = sources.folder / "data-among-code"
    path.write_bytes(data)
    changed = GoProgram.read(path)
    with pytest.raises(BinaryError, match="found data among its code"):
        function_probe(changed, resolve(changed, "main.Outer")[0])


def test_another_runtime_than_known_is_an_error(plain: GoProgram, sources: Source) -> None:
    """A call of gogo whose argument is not where every known release has it."""
    found = probe_points(plain).recovery_gogo
    data = bytearray(plain.path.read_bytes())
    store = data.rfind(bytes.fromhex("48890424"), found - 16, found)  # mov [rsp], rax
    assert store > 0
    data[store : store + 4] = bytes.fromhex("48890c24")  # mov [rsp], rcx
    path = sources.folder / "other-recovery"
    path.write_bytes(data)
    with pytest.raises(BinaryError, match="resumes a goroutine in another way"):
        probe_points(GoProgram.read(path))
    data[found] = 0x90
    path.write_bytes(data)
    with pytest.raises(BinaryError, match=r"calls no runtime\.gogo"):
        probe_points(GoProgram.read(path))
