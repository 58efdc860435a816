"""The engines as somebody would choose them: repeatable runs, stock workers, falling back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.store import Store
from gofuzzsec.toolchain import overlay, patches
from tests.cli.conftest import Run


@pytest.fixture
def project(run: Run, targets_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shared test module, where commands run."""
    root = shutil.copytree(targets_dir, Path.cwd() / "project")
    monkeypatch.chdir(root)
    return root


def fuzz(run: Run, *words: str, expect: tuple[int, ...] = (0,)) -> list[dict[str, Any]]:
    result = run("fuzz", "--json", "--capture", "off", "--workers", "1", *words)
    assert result.exit_code in expect, result.output
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def corpus_of(campaign: Path) -> list[tuple[bytes, str, str, int | None]]:
    with Store.open_readonly(campaign) as store:
        (target,) = store.targets()
        return [(row.data, row.source, row.why, row.parent) for row in store.inputs(target.id)]


def build_of(campaign: Path) -> str:
    with Store.open_readonly(campaign) as store:
        (target,) = store.targets()
        (build,) = store.builds(target.id)
        return build.key


def notes(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if event["event"] == "note"]


def test_the_same_seed_gives_the_same_corpus(run: Run, project: Path) -> None:
    found = []
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        words = ("--target", "^FuzzAllTypes$", "--time", "20000x", "--seed", seed)
        events = fuzz(run, *words, "--campaign", name)
        assert events[-1]["stats"][0]["session_executions"] >= 20_000
        found.append(corpus_of(project / name))
    assert len(found[0]) > 20
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_the_boosted_engine_is_what_one_gets(run: Run, project: Path) -> None:
    words = ("--target", "^FuzzNested$", "--time", "100000x")
    events = fuzz(run, *words, "--campaign", "boosted")
    assert not [text for text in notes(events) if "stock" in text]
    kept = b"".join(data for data, *_ in corpus_of(project / "boosted"))
    assert b"FUZ" in kept
    events = fuzz(run, "--engine", "stock", *words, "--campaign", "stock")
    assert events[-1]["stats"][0]["session_executions"] >= 100_000
    assert corpus_of(project / "stock")
    assert build_of(project / "stock") != build_of(project / "boosted")


def test_a_missing_anchor_falls_back_and_says_so(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = patches.PATCHES
    gone = replace(first, anchor="func somethingThatGoNeverHad() {")
    monkeypatch.setattr(
        overlay.prepare_overlay, "__kwdefaults__", {"patches": (gone, *others), "added": None}
    )
    events = fuzz(run, "--target", "^FuzzNested$", "--time", "500x", "--campaign", "fallen")
    (note,) = [text for text in notes(events) if "stock workers" in text]
    assert "\n" not in note
    assert first.file in note and "func somethingThatGoNeverHad()" in note
    assert corpus_of(project / "fallen")


def test_a_campaign_may_change_its_engine(run: Run, project: Path) -> None:
    words = ("--target", "^FuzzNested$", "--time", "3000x", "--campaign", "both")
    fuzz(run, *words)
    before = len(corpus_of(project / "both"))
    for engine in ("stock", "boosted"):
        events = fuzz(run, "--engine", engine, *words)
        (started,) = [event for event in events if event["event"] == "started"]
        assert started["resumed"] == before
        assert not [text for text in notes(events) if "could not be run" in text]
        before = len(corpus_of(project / "both"))


def test_a_seed_that_kills_is_reported_and_the_others_are_kept(run: Run, project: Path) -> None:
    folder = project / "testdata" / "fuzz" / "FuzzTrouble"
    folder.mkdir(parents=True)
    for name, text in {"a": "one", "b": "exit", "c": "three", "d": "fatal", "e": "five"}.items():
        (folder / name).write_text(f'go test fuzz v1\nstring("{text}")\n')
    words = ("--target", "^FuzzTrouble$", "--time", "60x", "--minimize-time", "0s")
    events = fuzz(run, *words, "--campaign", "seeds", expect=(1,))
    crashes = {event["summary"] for event in events if event["event"] == "crash"}
    assert any("exit status 3" in text for text in crashes)
    assert any("failed at once" in text for text in crashes)
    kept = b"".join(data for data, source, *_ in corpus_of(project / "seeds") if source != "fuzz")
    for good in (b'"one"', b'"three"', b'"five"', b'"fine"'):
        assert good in kept
    assert b'"fatal"' not in kept and b'"exit"' not in kept
