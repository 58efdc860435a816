"""Estimates against what came: on made-up populations, and on real campaigns.

python -m bench.estimate --simulate [--runs 1000]
python -m bench.estimate [--seconds 60] [--workers 2] [PACKAGE ...]
python -m bench.estimate --campaign DIR
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.populations import EXECUTIONS, SHAPES, SIZES, Coverage, coverage
from bench.sides import BenchError, gofuzzsec_argv
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.seccomp.estimate import Part, campaign_estimate, campaign_predict, total
from gofuzzsec.store import Store

EXAMPLE = Path(__file__).parent.parent / "examples" / "jobrunner"
LEAST = 1000  # executions before a cut: nothing is said of fewer


@dataclass(frozen=True, slots=True)
class Cut:
    """One prediction and what came. After ``before`` executions, ``seen`` of ``what`` (behaviours,
    or calls by name) had shown; ``expected``, from ``low`` to ``high`` with 95 %, was predicted for
    the next ``after`` executions, and ``came`` came. ``next_high`` is the upper end of the
    probability that one execution shows a new one, ``rate`` the share of the next that did at
    most (each new one counted as an execution of its own)."""

    target: str
    what: str
    before: int
    after: int
    seen: int
    expected: float
    low: int
    high: int
    came: int
    next_high: float
    rate: float

    @property
    def held(self) -> bool:
        return self.low <= self.came <= self.high


def cuts(target: str, parts: Sequence[Part]) -> Iterator[Cut]:
    """A campaign cut where its executions had doubled, the last time near its middle: each part
    before predicts as many again, or what there is of them."""
    sums = [total(parts[:index])[0] for index in range(len(parts) + 1)]
    every = sums[-1]
    wanted, done = every / 2, {0}
    while wanted >= LEAST:
        index = min(range(1, len(sums)), key=lambda at: abs(sums[at] - wanted))
        end = min(range(index, len(sums)), key=lambda at: abs(sums[at] - 2 * sums[index]))
        if sums[index] >= LEAST and end > index and index not in done:
            done.add(index)
            for what in ("behaviours", "calls"):
                yield cut(target, what, of(what, parts[:index]), total(of(what, parts[index:end])))
        wanted /= 2


def of(what: str, parts: Sequence[Part]) -> list[Part]:
    """*parts* with the counts of behaviours alone, or of calls."""
    return [
        (executions, {k: n for k, n in counts.items() if (": " in k) == (what == "behaviours")})
        for executions, counts in parts
    ]


def cut(target: str, what: str, first: Sequence[Part], then: Part) -> Cut:
    """What *first* predicts of *then*."""
    before, known = total(first)
    guess = campaign_predict(first, then[0])
    new = len(then[1].keys() - known.keys())
    high = campaign_estimate(first).next_new_high
    return Cut(
        target, what, before, then[0], len(known), guess.expected, guess.low, guess.high, new,
        high, new / then[0],
    )  # fmt: skip


def stored(folder: Path) -> list[Cut]:
    """All cuts of a campaign that was kept. Raises StoreError."""
    with Store.open_readonly(folder) as store:
        return [
            one
            for target in store.targets()
            for one in cuts(
                target.full_name,
                [(part.executions, part.counts) for part in store.incidence(target.id)],
            )
        ]


def fuzzed(package: Path, seconds: int, workers: int, folder: Path) -> list[Cut]:
    """All cuts of a new campaign on a copy of *package*, a folder with a go.mod."""
    copy = shutil.copytree(package, folder / "src", ignore=shutil.ignore_patterns(".gofuzzsec"))
    argv = [
        *gofuzzsec_argv(), "fuzz", ".", "--workers", str(workers), "--time", f"{seconds}s",
        "--capture", "in-process", "--campaign", str(folder / "campaign"),
    ]  # fmt: skip
    done = subprocess.run(
        argv, cwd=copy, capture_output=True, text=True, check=False, timeout=10 * seconds + 600
    )
    if done.returncode not in (0, 1):  # 1: crashes were found
        raise BenchError(f"{package}: gofuzzsec failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return stored(folder / "campaign")


def cut_table(found: Sequence[Cut]) -> str:
    """The cuts as a table, the latest of each target first."""
    lines = [
        "| target | of | executions | then | seen | predicted new | came | in it | 1 execution, "
        "at most | came |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in found:
        lines.append(
            f"| {one.target} | {one.what} | {one.before:,} | {one.after:,} | {one.seen} | "
            f"{one.expected:.1f} ({one.low} to {one.high}) | {one.came} | "
            f"{'yes' if one.held else 'NO'} | {one.next_high:.1e} | {one.rate:.1e} |"
        )
    held = sum(one.held for one in found)
    bounded = sum(one.rate <= one.next_high for one in found)
    lines.append("")
    lines.append(
        f"held by the interval: {held} of {len(found)}; not more new ones an execution than the "
        f"upper end: {bounded} of {len(found)}"
    )
    return "\n".join(lines)


def simulation_table(runs: int) -> str:
    """How often the intervals hold the truth on made-up populations."""
    cells = [
        coverage(shape, size, executions, runs=runs)
        for shape in SHAPES
        for size in SIZES
        for executions in EXECUTIONS
    ]
    head = " | ".join(f"{executions:,}" for executions in EXECUTIONS)
    lines = [f"| shape | size | {head} |", "| --- " * (2 + len(EXECUTIONS)) + "|"]
    for shape in SHAPES:
        for size in SIZES:
            row = [cell for cell in cells if (cell.shape, cell.size) == (shape, size)]
            lines.append(f"| {shape} | {size} | {' | '.join(map(_cell, row))} |")
    visible = [cell for cell in cells if cell.visible]
    lines.append("")
    for name, among in (("where all is in reach", visible), ("everywhere", cells)):
        lines.append(
            f"{name} ({len(among)} cells), least and mean: "
            + "; ".join(
                f"{field.replace('_', ' ')} {min(values):.2f} and {sum(values) / len(values):.3f}"
                for field in ("richness", "reach", "next_new", "prediction")
                if (values := [float(getattr(cell, field)) for cell in among])
            )
        )
    return "\n".join(lines)


def _cell(cell: Coverage) -> str:
    """``96 %``; in brackets, with the share seen, where part of the population is out of reach."""
    held = f"{100 * cell.richness:.0f} %"
    return held if cell.visible else f"({held} of {100 * cell.seen:.0f} % seen)"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("packages", nargs="*", type=Path, metavar="PACKAGE", help="with a go.mod")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--campaign", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--runs", type=int, default=1000, help="of each simulated sample")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all cuts there")
    options = parser.parse_args(argv)
    if options.simulate:
        print(simulation_table(options.runs))
        return 0
    found = [one for folder in options.campaign for one in stored(folder)]
    try:
        for package in options.packages or ([] if options.campaign else [EXAMPLE]):
            with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
                found += fuzzed(package, options.seconds, options.workers, Path(folder))
    except (BenchError, GofuzzsecError) as error:
        print(error, file=sys.stderr)
        return 1
    print(cut_table(found))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
