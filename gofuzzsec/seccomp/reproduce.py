"""The commands that show a system call again: what first showed it, run once more."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gofuzzsec.corpus.directory import read_corpus
from gofuzzsec.corpus.format import marshal
from gofuzzsec.errors import UsageError
from gofuzzsec.store import InputRow, Store, TargetRow
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.attribution import package_of

_ALL_TESTS = "^(Test|Example)"
_RUNNERS = ("testing.tRunner", "testing.runExample")
_TEST_NAME = re.compile(r"(?:Test|Example)\w*")
_LABEL = re.compile(
    r"tests(?P<each> function by function)?(?: -run=(?P<run>.*?))?(?P<functions>(?: -f \S+)*)"
)
_AGAIN = re.compile(r" \([0-9]+\)$")  # what the store appends to a second run of one command line
_LONGEST_LABEL = 500  # of a captured command line; what is longer was cut


@dataclass(frozen=True, slots=True)
class Tools:
    """How commands begin: ``go`` and ``gofuzzsec`` as the shell finds them; ``tags`` as given to
    ``fuzz``; ``campaign`` is the campaign directory, absolute."""

    campaign: Path
    go: str = "go"
    tags: str = ""
    gofuzzsec: str = "gofuzzsec"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """``commands`` are lines for a POSIX shell, to be run in their order from any folder; the last
    one runs what showed the call. ``watch`` is run instead of that one to see the call again, "" if
    it would be no other. ``note`` says what is special, or why there is no command."""

    commands: tuple[str, ...] = ()
    watch: str = ""
    note: str = ""


def reproduction(store: Store, target: TargetRow, row: SyscallRow, tools: Tools) -> Reproduction:
    """How to see the call of *row*, which is evidence of *target*, once more. Raises StoreError."""
    match row.source:
        case "seeds" | "fuzz":
            return _of_input(store, target, row, tools)
        case "tests":
            return _of_tests(target, row, tools)
        case "integration":
            return _of_command(row, tools)
        case "campaign":
            return _of_campaign(target, tools)
        case _:
            return Reproduction(note="gofuzzsec's own small program showed it; nothing to run")


def commands_of_input(
    store: Store, target: TargetRow, name: str, *, tools: Tools
) -> tuple[str, ...]:
    """The commands that run the input *name* (its hash) of *target* again. Raises StoreError."""
    try:
        found = store.input_by_hash(name, target.id)
    except UsageError:  # of testdata, and of no campaign
        return (_go_test(target, f"^{target.name}$/^{re.escape(name)}$", tools)[0],)
    return _run_input(target, found, tools).commands


def running_test(stack: Sequence[str]) -> str:
    """The test or example function that *stack* (innermost first) was made under, "" for none."""
    for inner, outer in pairwise(stack):
        if outer.partition(" ")[0] in _RUNNERS:
            function = inner.partition(" ")[0]
            name = function.removeprefix(f"{package_of(function)}.").partition(".")[0]
            return name if _TEST_NAME.fullmatch(name) else ""
    return ""


def _of_input(store: Store, target: TargetRow, row: SyscallRow, tools: Tools) -> Reproduction:
    try:
        found = store.input_by_hash(row.first_input, target.id)
    except UsageError:
        return Reproduction(
            note=f"input {row.first_input} is not in the corpus any more; only what it showed is "
            "kept"
        )
    return _run_input(target, found, tools)


def _run_input(target: TargetRow, found: InputRow, tools: Tools) -> Reproduction:
    if target.external or target.binary:
        return _beside(target, found, tools)
    name = _seed_file(target, found)
    commands = [] if name else [_export(target, found, tools, "testdata")]
    pattern = f"^{target.name}$/^{re.escape(name or found.hash)}$"
    run, watch = _go_test(target, pattern, tools)
    return Reproduction((*commands, run), watch)


def _seed_file(target: TargetRow, found: InputRow) -> str:
    """The file that holds the input among the seeds in testdata, "" for none."""
    folder = Path(target.package_dir) / "testdata" / "fuzz" / target.name
    if (folder / found.hash).is_file():
        return found.hash
    if found.source != "seed-testdata":
        return ""
    files, _ = read_corpus(folder, None)
    return next((each.path.name for each in files if marshal(each.values) == found.data), "")


def _beside(target: TargetRow, found: InputRow, tools: Tools) -> Reproduction:
    """Of a package that nothing may be written into: its test binary runs elsewhere."""
    folder = tools.campaign / "replay"
    fuzz = folder / "testdata" / "fuzz"
    commands = [_export(target, found, tools, str(fuzz))]
    binary = Path(target.binary)
    if not target.binary:
        binary = folder / "target.test"
        words = [tools.go, "-C", target.package_dir, "test", "-c", *_tags(tools)]
        commands.append(shlex.join([*words, "-o", str(binary), target.import_path]))
    run = shlex.join([str(binary), f"-test.run=^{target.name}$/^{found.hash}$", "-test.v"])
    inside = f"cd {shlex.quote(str(folder))} && "
    return Reproduction(
        (*commands, inside + run),
        f"{inside}{tools.gofuzzsec} capture --no-store -- {run}",
        "it runs outside of its package's folder",
    )


def _export(target: TargetRow, found: InputRow, tools: Tools, to: str) -> str:
    words = [tools.gofuzzsec, "corpus", "export", "--campaign", str(tools.campaign)]
    words += ["--target", target.full_name, "--input", found.hash, "--to", to]
    return shlex.join(words)


def _go_test(target: TargetRow, pattern: str, tools: Tools) -> tuple[str, str]:
    """Running what *pattern* chooses of the package's tests, and watching it."""
    package = target.import_path if target.external else "."
    words = [tools.go, "-C", target.package_dir, "test", "-count=1", "-v", *_tags(tools)]
    run = shlex.join([*words, f"-run={pattern}", package])
    words = [tools.gofuzzsec, "capture", "--no-store", "--tests", f"--run={pattern}"]
    watch = shlex.join([*words, *_tags(tools, "--tags"), package])
    return run, f"cd {shlex.quote(target.package_dir)} && {watch}"


def _tags(tools: Tools, option: str = "-tags") -> list[str]:
    return [f"{option}={tools.tags}"] if tools.tags else []


def _of_tests(target: TargetRow, row: SyscallRow, tools: Tools) -> Reproduction:
    name = running_test(row.stack)
    label = _LABEL.fullmatch(row.label)
    pattern = f"^{name}$" if name else (label and label["run"]) or _ALL_TESTS
    if target.binary:
        inside = f"cd {shlex.quote(target.package_dir)} && "
        run = shlex.join([target.binary, f"-test.run={pattern}", "-test.v"])
        return Reproduction(
            (inside + run,), f"{inside}{tools.gofuzzsec} capture --no-store -- {run}"
        )
    run, watch = _go_test(target, pattern, tools)
    return Reproduction((run,), watch)


def _of_command(row: SyscallRow, tools: Tools) -> Reproduction:
    line = _AGAIN.sub("", row.label)
    if len(line) >= _LONGEST_LABEL:
        return Reproduction(note=f"the captured command is too long to be kept whole: {line}")
    return Reproduction(
        (f"{tools.gofuzzsec} capture --no-store -- {line}",),
        note="in the folder that it was captured in",
    )


def _of_campaign(target: TargetRow, tools: Tools) -> Reproduction:
    words = [tools.gofuzzsec, "fuzz", "--campaign", str(tools.campaign)]
    if target.binary:
        words += ["--binary", target.binary, "--package-dir", target.package_dir]
        where = ""
    else:
        words += ["--target", f"^{target.name}$"]
        words += _tags(tools, "--tags")
        words.append(target.import_path if target.external else ".")
        where = f"cd {shlex.quote(target.package_dir)} && "
    return Reproduction(
        (where + shlex.join(words),),
        note="no kept input shows it: fuzzing may, or may not, show it again",
    )
