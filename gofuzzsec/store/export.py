"""The kept corpus as files that Go reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.corpus.directory import read_corpus, write_entry
from gofuzzsec.corpus.format import marshal
from gofuzzsec.errors import UsageError
from gofuzzsec.store.model import TargetRow
from gofuzzsec.store.store import Store


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: files ``written``, and inputs that were ``present`` already."""

    target: str
    folder: Path
    written: int
    present: int


def testdata_folder(target: TargetRow) -> Path:
    """Where `go test` looks for seeds of *target*.

    Raises UsageError for a package outside the user's module: nothing is ever put beside it.
    """
    if target.external:
        raise UsageError(
            f"expected a package of your own module, found {target.import_path}, which is outside "
            "of it: nothing is written beside it, so export with --to DIR"
        )
    return Path(target.package_dir) / "testdata" / "fuzz" / target.name


def export_inputs(
    store: Store, target: TargetRow, folder: Path, *, testdata: bool, only: str = ""
) -> Exported:
    """Write the kept inputs of *target* into *folder*, each under the name Go would give it.

    An input whose values are in *folder* already, under whatever name, is not written again. With
    *testdata* the seeds of `f.Add` are left out, because `go test` runs them anyway. *only* is the
    hash of the one input to write, of whatever source. Raises OSError
    when a file cannot be written; what was written before stays.
    """
    files, _ = read_corpus(folder, None) if folder.is_dir() else ([], [])
    there = {marshal(file.values) for file in files}
    written = present = 0
    for row in store.inputs(target.id):
        if row.hash != only if only else testdata and row.source == "seed-add":
            continue
        if row.data in there:
            present += 1
            continue
        write_entry(folder, row.data)
        there.add(row.data)
        written += 1
    return Exported(f"{target.import_path}.{target.name}", folder, written, present)


def refuse_shared_folders(targets: list[TargetRow]) -> None:
    """Two targets of one name would share one folder outside of testdata. Raises UsageError."""
    owner: dict[str, TargetRow] = {}
    for target in targets:
        other = owner.setdefault(target.name, target)
        if other is not target:
            raise UsageError(
                f"expected one target called {target.name}, found it in {other.import_path} and "
                f"in {target.import_path}: choose one with --target, or export each to its own DIR"
            )
