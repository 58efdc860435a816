"""Harvesting seeds from real binaries through Go's own coordinator, of every Go supported."""

from __future__ import annotations

import io
import json
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
from gofuzzsec.worker import seed_catcher
from gofuzzsec.worker.harvest import Harvest, harvest_seeds

HEAD = b"go test fuzz v1\n"

TARGETS = r"""package seeds

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	fmt.Println("set up")
	if os.Getenv("REPLACE") != "" {
		os.Unsetenv("REPLACE")
		path, _ := os.Executable()
		syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
	}
	os.Exit(m.Run())
}

func FuzzTypes(f *testing.F) {
	f.Add([]byte("b\x00"), "s\xff", true, byte(1), rune(-1), float32(1.5), math.Inf(-1), 2,
		int8(-3), int16(4), int32(5), int64(6), uint(7), uint8(8), uint16(9), uint32(10),
		uint64(11))
	f.Fuzz(func(t *testing.T, a []byte, b string, c bool, d byte, e rune, g float32, h float64,
		i int, j int8, k int16, l int32, m int64, n uint, o uint8, p uint16, q uint32, r uint64) {
	})
}

func FuzzUnseeded(f *testing.F) {
	f.Fuzz(func(t *testing.T, a []byte, b string, c bool, d rune, e float64, g uint16) {})
}

func FuzzMany(f *testing.F) {
	for i := 0; i < 1000; i++ {
		f.Add(i)
	}
	f.Add(7) // again
	f.Fuzz(func(t *testing.T, n int) {})
}

func FuzzText(f *testing.F) { f.Fuzz(func(t *testing.T, s string) {}) }

func FuzzOnDisk(f *testing.F) {
	text, err := os.ReadFile("testdata/words.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Fuzz(func(t *testing.T, s string) { t.Fatal("always fails") })
}

func FuzzWrongFile(f *testing.F) { f.Fuzz(func(t *testing.T, n int) {}) }

func FuzzWrongAdd(f *testing.F) {
	f.Add("text")
	f.Fuzz(func(t *testing.T, n int) {})
}

func FuzzSkips(f *testing.F)     { f.Skip("no database") }
func FuzzFails(f *testing.F)     { f.Fatal("no fixture") }
func FuzzPanics(f *testing.F)    { panic("broken set-up") }
func FuzzExits(f *testing.F)     { os.Exit(0) }
func FuzzForgetful(f *testing.F) { f.Add(1) }

func FuzzNoisy(f *testing.F) {
	for i := 0; i < 100; i++ {
		fmt.Println(strings.Repeat("noise ", 20000))
	}
	f.Fatal("the end")
}

func FuzzHangs(f *testing.F) {
	if report := os.Getenv("REPORT"); report != "" {
		os.WriteFile(report, []byte(fmt.Sprintln(os.Getpid())), 0)
	}
	time.Sleep(time.Hour)
}

func FuzzUntidy(f *testing.F) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		f.Fatal(err)
	}
	os.WriteFile(os.Getenv("REPORT"), []byte(fmt.Sprintln(child.Process.Pid, os.TempDir())), 0)
	locked := filepath.Join(f.TempDir(), "locked")
	os.MkdirAll(filepath.Join(locked, "inner"), 0o700)
	os.Chmod(locked, 0)
	f.Add(1)
	f.Fuzz(func(t *testing.T, n int) {})
}

// FuzzItself runs os.Args[0], as tests do that need a helper process.
func FuzzItself(f *testing.F) {
	out, err := exec.Command(os.Args[0], "-test.list=^FuzzItself$").CombinedOutput()
	if err != nil {
		f.Fatal(err, string(out))
	}
	f.Add(strings.Contains(string(out), "FuzzItself"))
	f.Fuzz(func(t *testing.T, ok bool) {})
}
"""


def make_module(root: Path) -> Path:
    files = {
        "go.mod": "module example.org/seeds\n\ngo 1.21\n",
        "seeds_test.go": TARGETS,
        "testdata/words.txt": "words",
        "testdata/fuzz/FuzzOnDisk/b": 'go test fuzz v1\nstring("second")\n',
        "testdata/fuzz/FuzzOnDisk/a": "go test fuzz v1\nstring(`first`)\n",
        "testdata/fuzz/FuzzWrongFile/x": 'go test fuzz v1\nstring("no int")\n',
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def built(go: Go, root: Path) -> FuzzBinary:
    (package,) = toolchain.list_packages(go, ["."], root)
    return toolchain.build_fuzz_binary(go, package)


@pytest.fixture(scope="module")
def seeds(go: Go, tmp_path_factory: pytest.TempPathFactory) -> FuzzBinary:
    return built(go, make_module(tmp_path_factory.mktemp("seeds") / "it's a module"))


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
        assert len(files) == 6, files


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
    binary = built(any_go, make_module(tmp_path / "module"))
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


# The catcher's own parts, without a coordinator


def test_catcher_keeps_warm_ups_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seeds").mkdir()
    memory = os.memfd_create("memory")
    os.write(memory, bytes(8) + (5).to_bytes(8, "little") + bytes(24) + b"value beyond")
    replies, events = os.pipe(), os.pipe()
    monkeypatch.setattr(seed_catcher, "MEMORY", memory)
    monkeypatch.setattr(seed_catcher, "REPLIES", replies[1])
    calls = [
        {"Ping": {}, "Fuzz": None},
        {"Fuzz": {"Warmup": True, "CoverageData": "AA=="}},
        {"Fuzz": {"Warmup": False}},
        {"Ping": {}},
    ]
    lines = b"".join(json.dumps(call).encode() + b"\n" for call in calls)
    seed_catcher.serve(io.BytesIO(lines), events[1], tmp_path)
    os.close(replies[1])
    answers = os.fdopen(replies[0], "rb").read().splitlines()
    assert [json.loads(answer).get("Count") for answer in answers] == [None, 1]
    assert os.read(events[0], 100) == b"seed\ndone\n"
    assert (tmp_path / "seeds" / "00000001").read_bytes() == b"value"
    assert not (tmp_path / "zero").exists()
    seed_catcher.serve(io.BytesIO(b'{"Fuzz": {"Warmup": false}}\n'), events[1], tmp_path)
    assert os.read(events[0], 100) == b"zero\n"
    assert (tmp_path / "zero").read_bytes() == b"value"
    for fd in (memory, *events):
        os.close(fd)


@pytest.mark.parametrize("length", [-1, 13, 1 << 40])
def test_catcher_distrusts_the_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    memory = os.memfd_create("memory")
    os.write(
        memory, bytes(8) + length.to_bytes(8, "little", signed=True) + bytes(24) + b"12 bytes...."
    )
    monkeypatch.setattr(seed_catcher, "MEMORY", memory)
    with pytest.raises(ValueError, match=f"a value of {length} bytes"):
        seed_catcher.save(tmp_path / "value")
    os.close(memory)
