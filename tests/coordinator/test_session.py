"""Whole sessions on real targets."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from gofuzzsec.coordinator import corpus_ops
from gofuzzsec.coordinator.corpus_ops import minimise
from gofuzzsec.coordinator.events import CrashFound, Note, Started, Status
from gofuzzsec.coordinator.rebuild import DEFAULT_BUILD, BuildChoice, binary_of
from gofuzzsec.coordinator.replay import replay_crash
from gofuzzsec.corpus import unmarshal, write_entry
from gofuzzsec.errors import StoreError, UsageError, WorkerStartError
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.toolchain.model import FuzzBinary, Go
from tests.coordinator.conftest import RunSession, add_seed


def raws(heard_store: Store) -> list[object]:
    (target,) = heard_store.targets()
    return [unmarshal(row.data)[0].raw for row in heard_store.inputs(target.id)]


def test_fuzzing_climbs_nested_branches_and_keeps_what_climbed(fuzz: RunSession) -> None:
    heard = fuzz("FuzzNested", executions=100_000)
    with heard.store() as store:
        kept = raws(store)
        (target,) = store.targets()
        assert target.types == ("[]byte",)
        assert store.executions(target.id) == heard.finished.stats[0].executions
    depths = {raw[:3] for raw in kept if isinstance(raw, bytes)}
    assert b"FUZ" in depths, "three nested bytes are within reach of Go's mutator"
    assert b"x" in kept and b"Fuzz" in kept, "seeds stay in the corpus"
    (stats,) = heard.finished.stats
    assert 100_000 <= stats.session_executions < 110_000
    assert stats.corpus == len(kept)
    assert heard.of(Started)[0].seeds == 2


def test_a_campaign_goes_on_where_it_stopped(fuzz: RunSession) -> None:
    first = fuzz("FuzzNested", executions=20_000).finished.stats[0]
    heard = fuzz("FuzzNested", executions=5_000)
    second = heard.finished.stats[0]
    assert heard.of(Started)[0].resumed == first.corpus
    assert heard.of(Started)[0].seeds == 0
    assert second.executions == first.executions + second.session_executions
    assert second.corpus >= first.corpus and second.edges >= first.edges


def test_inputs_are_measured_again_after_the_code_changed(fuzz: RunSession, project: Path) -> None:
    fuzz("FuzzNested", executions=2_000)
    source = project / "targets.go"
    source.write_text(source.read_text() + "\nfunc Unused(n int) int {\n\treturn n + 1\n}\n")
    heard = fuzz("FuzzNested", executions=2_000)
    with heard.store() as store:
        (target,) = store.targets()
        assert len({row.build_key for row in store.inputs(target.id)}) == 1
        assert len(store.builds(target.id)) == 2


@pytest.mark.parametrize(
    ("kind", "text", "summary"),
    [
        ("crash", "panic", "panic: assignment to entry in nil map"),
        ("crash", "goroutine", "panic: in a goroutine"),
        ("fail", "fatal", "failed at once"),
        ("hang", "spin", "hang in example.org/targets.Trouble"),
        ("oom", "oom", " memory"),  # which of the runtime's allocations fails first, varies
    ],
)
def test_a_failing_seed_is_reported_written_and_known(
    fuzz: RunSession, project: Path, kind: str, text: str, summary: str
) -> None:
    add_seed(project, "FuzzTrouble", "bad", f'string("{text}")')
    limits = {
        "hang_timeout": 0.5 if kind == "hang" else 10.0,
        "memory_limit": 512 << 20,
        "minimise_seconds": 1.0,
    }
    heard = fuzz("FuzzTrouble", executions=300, **limits)
    crashes = heard.of(CrashFound)
    assert any(summary in each.summary for each in crashes), [each.summary for each in crashes]
    found = next(each for each in crashes if summary in each.summary)
    assert found.kind == kind
    assert found.reproduced
    path = Path(found.path)
    assert path.parent == project / "testdata/fuzz/FuzzTrouble"
    assert unmarshal(path.read_bytes())[0].raw == text.encode()
    assert found.rerun == f"go test -run=FuzzTrouble/{path.name}"
    again = fuzz("FuzzTrouble", executions=300, **limits)
    assert not [each for each in again.of(CrashFound) if summary in each.summary]


def test_go_test_fails_on_a_crash_as_we_tell_the_user(
    fuzz: RunSession, project: Path, go: Go
) -> None:
    add_seed(project, "FuzzTrouble", "bad", 'string("fatal")')
    crashes = fuzz("FuzzTrouble", executions=50).of(CrashFound)
    found = next(each for each in crashes if "failed at once" in each.summary)
    (project / "testdata/fuzz/FuzzTrouble/bad").unlink()
    env = {**os.environ, "PATH": f"{go.path.parent}:{os.environ['PATH']}"}
    rerun = subprocess.run(
        found.rerun.split(), cwd=project, env=env, capture_output=True, text=True, check=False
    )
    assert rerun.returncode == 1
    assert "failed at once" in rerun.stdout


def test_each_sight_of_a_crash_is_counted(fuzz: RunSession, project: Path) -> None:
    add_seed(project, "FuzzTrouble", "bad", 'string("panic")')
    for runs in (1, 2):
        # The seed is no kept input, so each run meets its crash again.
        with fuzz("FuzzTrouble", executions=2).store() as store:
            (row,) = store.crashes()
        assert row.count == runs


def test_a_crash_is_shrunk_to_what_matters(fuzz: RunSession, project: Path) -> None:
    code = """package targets

import "testing"

func FuzzDeep(f *testing.F) {
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!bbbbbbbbbbbbbbbbbbbbbbbbbb"), 4711)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		for _, c := range data {
			if c == '!' && n > 99 {
				panic("found it")
			}
		}
	})
}
"""
    (project / "deep_test.go").write_text(code)
    heard = fuzz("FuzzDeep", executions=10)
    (found,) = heard.of(CrashFound)
    data, number = unmarshal(Path(found.path).read_bytes())
    assert (data.raw, number.raw) == (b"!", 100)
    with heard.store() as store:
        (row,) = store.crashes()
        assert row.original != row.data and row.reproduced
        replay = replay_crash(store, row, heard.events.append)
    assert replay.same


def test_a_crash_that_cannot_be_written_beside_the_code_is_kept_all_the_same(
    fuzz: RunSession, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def read_only(folder: Path, data: bytes) -> Path:
        # Permissions would not stop root, so the refusal is played.
        if folder.is_relative_to(project / "testdata"):
            raise OSError(errno.EROFS, "Read-only file system")
        return write_entry(folder, data)

    monkeypatch.setattr("gofuzzsec.coordinator.jobs.crash.write_entry", read_only)
    add_seed(project, "FuzzTrouble", "bad", 'string("panic")')
    heard = fuzz("FuzzTrouble", executions=50)
    found = heard.of(CrashFound)[0]
    path = Path(found.path)
    assert path.is_file() and path.is_relative_to(project / ".gofuzzsec")
    assert any("Read-only file system" in note.text for note in heard.of(Note))


def test_stop_on_crash_ends_the_session(fuzz: RunSession, project: Path) -> None:
    add_seed(project, "FuzzTrouble", "bad", 'string("panic")')
    heard = fuzz("FuzzTrouble", seconds=60.0, stop_on_crash=True)
    assert heard.of(CrashFound)
    assert heard.finished.stats[0].elapsed < 30


def test_several_targets_share_the_time(fuzz: RunSession) -> None:
    heard = fuzz("^(FuzzNested|FuzzAllTypes|FuzzUnseeded)$", seconds=6.0)
    stats = {each.target.rpartition(".")[2]: each for each in heard.finished.stats}
    assert set(stats) == {"FuzzNested", "FuzzAllTypes", "FuzzUnseeded"}
    for each in stats.values():
        assert each.executions > 0
        assert 1.0 < each.elapsed < 6.0


def test_a_target_that_refuses_does_not_stop_the_others(fuzz: RunSession) -> None:
    heard = fuzz("^(FuzzRefuses|FuzzNested)$", executions=2000)
    assert [each.target for each in heard.finished.stats] == ["example.org/targets.FuzzNested"]
    (note,) = [note for note in heard.of(Note) if "FuzzRefuses is left out" in note.text]
    assert "no fixture here" in note.text
    with pytest.raises(WorkerStartError, match="no fixture here"):
        fuzz("FuzzRefuses", executions=10)


def test_a_pattern_without_a_match_names_what_there_is(fuzz: RunSession) -> None:
    with pytest.raises(UsageError, match="FuzzNested"):
        fuzz("FuzzNowhere", executions=10)
    with pytest.raises(UsageError, match="regular expression"):
        fuzz("Fuzz[", executions=10)


def test_files_of_other_types_are_reported_and_left_alone(fuzz: RunSession, project: Path) -> None:
    wrong = add_seed(project, "FuzzNested", "wrong", "int(5)")
    # Go itself would refuse to fuzz a target whose testdata does not fit, and so do we.
    with pytest.raises(WorkerStartError, match="wrong"):
        fuzz("FuzzNested", executions=10)
    assert wrong.read_text() == "go test fuzz v1\nint(5)\n"


def test_a_second_session_on_the_same_campaign_is_refused(fuzz: RunSession, project: Path) -> None:
    with (
        Store.create(project / ".gofuzzsec"),
        pytest.raises(StoreError, match=str(os.getpid())),
    ):
        fuzz("FuzzNested", executions=10)


def test_minimising_the_corpus_keeps_all_coverage(fuzz: RunSession, project: Path) -> None:
    heard = fuzz("FuzzAllTypes", executions=5_000)
    with Store.create(heard.campaign) as store:
        (target,) = store.targets()
        result = minimise(store, target)
        assert result.before == heard.finished.stats[0].corpus
        assert 0 < result.after < result.before
        assert len(list(store.inputs(target.id))) == result.after
    again = fuzz("FuzzAllTypes", executions=1)
    assert again.of(Status)[0].stats.corpus >= result.after


@pytest.mark.parametrize("engine", ["boosted", "stock"])
def test_minimising_measures_what_an_older_build_kept(
    fuzz: RunSession, project: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    def stock(target: TargetRow, choice: BuildChoice, *, boosted: bool) -> FuzzBinary:
        return binary_of(target, choice)

    if engine == "stock":  # as where the other cannot be built
        monkeypatch.setattr(corpus_ops, "binary_of", stock)
    heard = fuzz("FuzzAllTypes", executions=2_000)
    with Store.create(heard.campaign) as store:
        (target,) = store.targets()
        before = {row.id: row.data for row in store.inputs(target.id)}
        rows = list(store.inputs(target.id))
        found = corpus_ops._measure_all(store, target, rows, DEFAULT_BUILD)
        assert set(found) == set(before)
        assert all(len(features) for features in found.values())
        newest = max(store.builds(target.id), key=lambda build: build.used_at)
        assert {row.build_key for row in store.inputs(target.id)} == {newest.key}


def test_every_argument_type_is_fuzzed_without_a_wrong_guess(fuzz: RunSession) -> None:
    """A value rebuilt wrongly would show as a find whose coverage never comes again."""
    heard = fuzz("FuzzAllTypes", executions=10_000)
    with heard.store() as store:
        (target,) = store.targets()
        assert len(target.types) == 17
        changed = {
            index
            for row in store.inputs(target.id)
            for index, (old, new) in enumerate(
                zip(unmarshal(next(store.inputs(target.id)).data), unmarshal(row.data), strict=True)
            )
            if old != new
        }
    assert len(changed) > 8
    assert heard.finished.stats[0].corpus > 20
