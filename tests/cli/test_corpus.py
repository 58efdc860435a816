"""corpus check, export and minimize."""

from __future__ import annotations

from pathlib import Path

from gofuzzsec.corpus.format import file_name
from gofuzzsec.store import Store
from gofuzzsec.syscalls.model import Recording
from tests.cli.conftest import Run, entry


def test_export_to_a_folder(run: Run, campaign: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run("corpus", "export", "--campaign", str(campaign), "--to", str(out))
    assert first.exit_code == 0
    written = {path.name: path.read_bytes() for path in (out / "FuzzParse").iterdir()}
    assert written == {file_name(entry(text)): entry(text) for text in (b"one", b"two", b"three")}
    assert "example.org/m.FuzzParse: 3 files written to" in first.stdout
    again = run("corpus", "export", "--campaign", str(campaign), "--to", str(out))
    assert "0 files written" in again.stdout and "3 already there" in again.stdout


def test_export_to_testdata_writes_what_go_test_lacks(
    run: Run, campaign: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "module" / "testdata" / "fuzz" / "FuzzParse"
    folder.mkdir(parents=True)
    (folder / "by-hand").write_bytes(b'go test fuzz v1\nstring("\\x74wo")\n')  # "two"
    (folder / "broken").write_bytes(b"not a corpus file")
    args = ("corpus", "export", "--campaign", str(campaign), "--target", "FuzzParse")
    result = run(*args, "--to", "testdata")
    assert result.exit_code == 0
    assert {path.name for path in folder.iterdir()} == {
        "by-hand",
        "broken",
        file_name(entry(b"three")),
    }
    assert "1 file written" in result.stdout and "1 already there" in result.stdout


def test_export_never_goes_beside_a_package_outside_the_module(run: Run, campaign: Path) -> None:
    result = run("corpus", "export", "--campaign", str(campaign), "--to", "testdata")
    assert result.exit_code == 2
    assert "encoding/json" in result.stderr and "--to DIR" in result.stderr


def test_export_of_two_targets_of_one_name_is_refused(run: Run, campaign: Path) -> None:
    with Store.create(campaign) as store:
        store.add_target("example.org/other", "FuzzParse", "/other", "/other", "", False)
    result = run("corpus", "export", "--campaign", str(campaign), "--to", "out")
    assert result.exit_code == 2
    assert "example.org/m" in result.stderr and "example.org/other" in result.stderr
    assert not Path("out").exists()


def test_check_names_every_broken_file(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "corpus" / "FuzzX"
    folder.mkdir(parents=True)
    (folder / "good").write_bytes(entry(b"x"))
    (folder / "bad\x1b").write_bytes(b"go test fuzz v1\nstring(1)\n")
    (folder / "empty").write_bytes(b"")
    result = run("corpus", "check", str(tmp_path / "corpus"))
    assert result.exit_code == 2
    assert "\x1b" not in result.stdout
    assert f"{folder}/bad\\x1b: " in result.stdout
    assert f"{folder}/empty: " in result.stdout
    assert result.stdout.endswith("3 files checked, 2 broken\n")


def test_check_holds_files_against_the_types_of_a_target(
    run: Run, campaign: Path, tmp_path: Path
) -> None:
    sound = tmp_path / "sound"
    sound.write_bytes(entry(b"x"))
    other = tmp_path / "other"
    other.write_bytes(b"go test fuzz v1\nint(1)\n")
    args = ("corpus", "check", "--campaign", str(campaign))
    assert run(*args, str(sound), str(other)).exit_code == 0
    typed = run(*args, "--target", "FuzzParse", str(sound), str(other))
    assert typed.exit_code == 2
    assert f"{other}: " in typed.stdout and f"{sound}: " not in typed.stdout


def test_check_with_types_that_no_fuzz_test_has(run: Run, campaign: Path, tmp_path: Path) -> None:
    with Store.create(campaign) as store:
        store.set_types(store.target("FuzzParse").id, ("complex128",))
    result = run("corpus", "check", "--campaign", str(campaign), "--target", "FuzzParse", ".")
    assert result.exit_code == 3
    assert "complex128" in result.stderr


def test_check_without_paths_takes_the_testdata_of_the_campaign(
    run: Run, campaign: Path, tmp_path: Path
) -> None:
    args = ("corpus", "check", "--campaign", str(campaign))
    assert run(*args).stdout == "0 files checked, 0 broken\n"
    folder = tmp_path / "module" / "testdata" / "fuzz" / "FuzzParse"
    folder.mkdir(parents=True)
    (folder / "number").write_bytes(b"go test fuzz v1\nint(1)\n")
    result = run(*args)
    assert result.exit_code == 2
    assert f"{folder}/number: " in result.stdout


def test_check_of_a_path_that_is_not_there(run: Run) -> None:
    result = run("corpus", "check", "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr


def test_minimize_keeps_coverage_and_calls(run: Run, campaign: Path) -> None:
    with Store.create(campaign) as store:
        (parse, _) = store.targets()
        store.add_build(parse.id, "abc", "go1.26.8", 10)
        spare = store.add_input(
            parse.id,
            data=entry(b"a longer one that reaches nothing of its own"),
            source="fuzz",
            why="coverage",
            parent=None,
            exec_ns=1,
            build_key="abc",
            coverage=store.input(1).coverage,
            found_at=1.0,
        )
        for row in store.unrecorded(parse.id):
            store.add_recording(parse.id, row.id, Recording(()), "fuzz")
    result = run("corpus", "minimize", "--campaign", str(campaign), "--target", "FuzzParse")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "example.org/m.FuzzParse: 4 inputs before, 3 after\n"
    with Store.open_readonly(campaign) as store:
        assert spare.hash not in {row.hash for row in store.inputs(parse.id)}
