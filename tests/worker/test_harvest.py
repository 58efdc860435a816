"""Harvesting seeds from real binaries through Go's own coordinator, of every Go supported."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.errors import UsageError, WorkerStartError
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import harvest as harvest_module
from gofuzzsec.worker.harvest import Harvest, harvest_seeds

HEAD = b"go test fuzz v1\n"

MODULE = Path(__file__).parents[1] / "seedsmodule"
FILES = sum(path.is_file() for path in MODULE.rglob("*"))


def copied(root: Path) -> Path:
    """The module: crashes would be written beside its code, never into the clone."""
    return shutil.copytree(MODULE, root)


def built(go: Go, root: Path) -> FuzzBinary:
    (package,) = toolchain.list_packages(go, ["."], root)
    return toolchain.build_fuzz_binary(go, package)


@pytest.fixture(scope="module")
def seeds(go: Go, tmp_path_factory: pytest.TempPathFactory) -> FuzzBinary:
    return built(go, copied(tmp_path_factory.mktemp("seeds") / "it's a module"))


@pytest.fixture(autouse=True)
def nothing_left(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> object:
    """After each test the temporary folder is empty and the module as it was."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield
    assert list(temporary.iterdir()) == []
    if "seeds" in request.fixturenames:
        module: Path = request.getfixturevalue("seeds").cwd
        files = [path for path in module.rglob("*") if path.is_file()]
        assert len(files) == FILES, files


@pytest.fixture
def take(seeds: FuzzBinary) -> Callable[..., Harvest]:
    return lambda target, timeout=60.0: harvest_seeds(seeds.path, target, seeds.cwd, timeout)


@pytest.fixture
def refusal(take: Callable[..., Harvest]) -> Callable[..., str]:
    def message(target: str, timeout: float = 60.0) -> str:
        with pytest.raises(WorkerStartError) as caught:
            take(target, timeout)
        text = str(caught.value)
        assert text.startswith(f"expected {target} to reach f.Fuzz, found ")
        return text

    return message


def ended(pid: int) -> bool:
    """Whether a process that was killed is gone."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 10)[0])
    finally:
        os.close(fd)


def test_every_go(any_go: Go, tmp_path: Path) -> None:
    """The order and kind of requests of each Go, with coverage counters and without."""
    binary = built(any_go, copied(tmp_path / "module"))
    assert binary.package is not None
    plain = toolchain.build_test_binary(any_go, binary.package)
    for path in (binary.path, plain):
        on_disk = harvest_seeds(path, "FuzzOnDisk", binary.cwd)
        assert on_disk.seeds == (
            HEAD + b'string("words")\n',
            HEAD + b"string(`first`)\n",
            HEAD + b'string("second")\n',
        )
        assert on_disk.zero is None
        unseeded = harvest_seeds(path, "FuzzUnseeded", binary.cwd)
        assert unseeded.seeds == ()
        assert unseeded.zero == HEAD + (
            b'[]byte("")\nstring("")\nbool(false)\nrune(\'\\x00\')\nfloat64(0)\nuint16(0)\n'
        )
        many = harvest_seeds(path, "FuzzMany", binary.cwd)
        assert many.seeds == tuple(HEAD + b"int(%d)\n" % n for n in range(1000))
        with pytest.raises(WorkerStartError, match="seed that Go refuses"):
            harvest_seeds(path, "FuzzWrongFile", binary.cwd)


def test_all_types(take: Callable[..., Harvest]) -> None:
    (seed,) = take("FuzzTypes").seeds
    assert seed.decode().splitlines() == [
        "go test fuzz v1",
        '[]byte("b\\x00")',
        'string("s\\xff")',
        "bool(true)",
        "byte('\\x01')",
        "int32(-1)",
        "float32(1.5)",
        "float64(-Inf)",
        "int(2)",
        "int8(-3)",
        "int16(4)",
        "rune('\\x05')",
        "int64(6)",
        "uint(7)",
        "byte('\\b')",
        "uint16(9)",
        "uint32(10)",
        "uint64(11)",
    ]


def test_largest_seed(seeds: FuzzBinary, tmp_path: Path) -> None:
    """Go's shared memory holds 100 MiB; a byte more, and its coordinator panics."""
    file = tmp_path / "testdata" / "fuzz" / "FuzzText" / "large"
    file.parent.mkdir(parents=True)
    text = HEAD + b"string(`%s`)\n"
    data = text % (b"x" * ((100 << 20) - len(text) + 2))
    assert len(data) == 100 << 20
    file.write_bytes(data)
    assert harvest_seeds(seeds.path, "FuzzText", tmp_path).seeds == (data,)
    file.write_bytes(data.replace(b"`x", b"`xx"))
    with pytest.raises(WorkerStartError, match="larger than shared memory"):
        harvest_seeds(seeds.path, "FuzzText", tmp_path)


@pytest.mark.parametrize(
    ("target", "found", "said"),
    [
        ("FuzzSkips", "that it skips itself before f.Fuzz", "no database"),
        ("FuzzFails", "exit status 1", "no fixture"),
        ("FuzzPanics", "exit status 2", "panic: broken set-up"),
        ("FuzzExits", "exit status 2", "unexpected call to os.Exit(0)"),
        ("FuzzForgetful", "exit status 1", "returned without calling F.Fuzz"),
        ("FuzzWrongFile", "a seed that Go refuses", "mismatched types in corpus entry"),
        ("FuzzWrongAdd", "a seed that Go refuses", "mismatched types in corpus entry"),
        ("FuzzNowhere", "no fuzz target of that name", "no fuzz tests to fuzz"),
    ],
)
def test_targets_that_never_fuzz(
    refusal: Callable[..., str], target: str, found: str, said: str
) -> None:
    text = refusal(target)
    assert f"found {found}" in text
    assert said in text


def test_output_is_bounded(refusal: Callable[..., str]) -> None:
    text = refusal("FuzzNoisy")
    assert len(text) < 1_200_000
    assert "bytes left out" in text
    assert "the end" in text


def test_set_up_that_hangs(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    monkeypatch.setenv("REPORT", str(report))
    report.touch()
    assert "nothing happening for 3 s" in refusal("FuzzHangs", 3)
    assert ended(int(report.read_text()))


def test_children_and_temporary_files_of_the_set_up_go(
    take: Callable[..., Harvest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    report.touch()
    monkeypatch.setenv("REPORT", str(report))
    assert take("FuzzUntidy").seeds == (HEAD + b"int(1)\n",)
    pid, folder = report.read_text().split()
    assert ended(int(pid))
    assert not Path(folder).exists()


def test_set_up_that_runs_its_own_binary(take: Callable[..., Harvest]) -> None:
    assert take("FuzzItself").seeds == (HEAD + b"bool(true)\n",)


@pytest.mark.parametrize("target", ["FuzzTypes", "FuzzUnseeded"])
def test_binary_that_replaces_itself(
    take: Callable[..., Harvest], monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """Its argv[0] is lost, so it would fuzz in earnest, in the user's folder."""
    monkeypatch.setenv("REPLACE", "1")
    with pytest.raises(WorkerStartError, match="found it fuzzing with others"):
        take(target)


def test_several_at_once(take: Callable[..., Harvest]) -> None:
    targets = ["FuzzOnDisk", "FuzzUnseeded", "FuzzItself", "FuzzTypes"]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(take, targets))
    assert [len(one.seeds) for one in together] == [3, 0, 1, 1]


def test_python_at_an_awkward_path(
    take: Callable[..., Harvest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / 'it\'s a "venv" $HOME'
    folder.mkdir()
    (folder / "python").symlink_to(Path(sys.executable).resolve())
    catcher = Path(shutil.copy(harvest_module.CATCHER, folder / "seed catcher.py"))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setattr(harvest_module, "CATCHER", catcher)
    assert len(take("FuzzOnDisk").seeds) == 3


def test_folder_where_nothing_may_be_run(
    take: Callable[..., Harvest], monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoExec:
        f_flag = os.ST_NOEXEC

    monkeypatch.setattr(os, "statvfs", lambda path: NoExec)
    assert len(take("FuzzOnDisk").seeds) == 3
    assert list((toolchain.cache_dir() / "tmp").iterdir()) == []


def test_catcher_that_breaks(
    take: Callable[..., Harvest], tmp_path: Path, seeds: FuzzBinary
) -> None:
    """Whatever goes wrong on our side is an error of ours, never a crash in testdata."""
    broken = tmp_path / "catcher.py"
    text = harvest_module.CATCHER.read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harvest_module, "CATCHER", broken)
        broken.write_text(text.replace("HEADER = 40", "HEADER = 1 << 40"))
        with pytest.raises(
            WorkerStartError, match="to receive the seeds of FuzzOnDisk, found Value"
        ):
            take("FuzzOnDisk")
        broken.write_text(text.replace('"events"', '"missing"'))  # cannot even say so
        with pytest.raises(WorkerStartError, match="found death by signal 9"):
            take("FuzzOnDisk")
        broken.write_text("raise SystemExit('no such command')")
        with pytest.raises(WorkerStartError, match="no such command"):
            take("FuzzOnDisk")


def test_killed_harvest_takes_the_coordinator_along(seeds: FuzzBinary, tmp_path: Path) -> None:
    report = tmp_path / "report"
    os.mkfifo(report)
    code = (
        "import sys; from pathlib import Path\n"
        "from gofuzzsec.worker.harvest import harvest_seeds\n"
        "harvest_seeds(Path(sys.argv[1]), 'FuzzHangs', Path(sys.argv[2]))"
    )
    env = {**os.environ, "REPORT": str(report), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code, seeds.path, seeds.cwd], env=env) as process:
        pid = int(report.read_text())
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert ended(pid)


def test_what_cannot_be_run(seeds: FuzzBinary, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected the name of a fuzz target"):
        harvest_seeds(seeds.path, "Fuzz$(reboot)", seeds.cwd)
    with pytest.raises(WorkerStartError, match=r"expected to run .*found: No such file"):
        harvest_seeds(seeds.path, "FuzzTypes", tmp_path / "missing")
    with pytest.raises(WorkerStartError, match="No such file or directory"):
        harvest_seeds(tmp_path / "missing.test", "FuzzTypes", seeds.cwd)
