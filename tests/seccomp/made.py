"""Evidence and static bounds made by hand."""

from __future__ import annotations

from collections.abc import Iterable

from gofuzzsec.store import TargetRow
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.bound import WHOLE, Bound, Opening, Place, PossibleCall, UnknownCall

TARGET = TargetRow(
    id=1,
    import_path="example.org/m",
    name="FuzzX",
    package_dir="/src/m",
    module_dir="/src/m",
    binary="",
    types=("string",),
    external=False,
)
STACK = (
    "syscall.RawSyscall6 /usr/lib/go/src/syscall/syscall_linux.go:65",
    "os.Mkdir /usr/lib/go/src/os/file.go:329",
    "example.org/m.(*job).run /src/m/job.go:12",
    "example.org/m.FuzzX.func1 /src/m/m_test.go:9",
    "testing.tRunner /usr/lib/go/src/testing/testing.go:1690",
)


def row(
    name: str,
    args: tuple[int, ...] = (),
    *,
    source: str = "fuzz",
    origin: str = "target",
    outcome: str = "ok",
    kind: str = "",
    count: int = 1,
    first_input: str = "0123456789abcdef",
    label: str = "",
    first_at: float = 1.0,
    unstable: bool = False,
    stack: tuple[str, ...] = STACK,
) -> SyscallRow:
    """A row of evidence."""
    inputs = source in ("seeds", "fuzz")
    return SyscallRow(
        name=name,
        origin=origin,
        source=source,
        first_input=first_input if inputs else "",
        first_at=first_at,
        count=count,
        inputs=int(inputs),
        unstable=unstable,
        stack=stack,
        kind=kind,
        outcome=outcome,
        label=label,
        args=args,
    )


def bound(
    *names: str,
    arch: str = "amd64",
    roots: tuple[str, ...] = (WHOLE,),
    opens: Iterable[str] = (),
    unknown: bool = False,
) -> Bound:
    """A bound of these calls; *opens* are kinds of openings."""
    return Bound(
        arch=arch,
        go_version="go1.26",
        roots=roots,
        calls=tuple(
            PossibleCall(
                name,
                table.number(name, arch) or 0,
                (Place(f"p.{name}", "/src/p.go", 3),),
                ("main.main", "p.Do", f"p.{name}"),
            )
            for name in sorted(names)
        ),
        unknown=(UnknownCall(Place("p.any", "/src/p.go", 7), "from memory", ()),)
        if unknown
        else (),
        opens=tuple(Opening(kind, "something", ()) for kind in opens),
        assumes=(),
        reached=3,
        functions=9,
    )
