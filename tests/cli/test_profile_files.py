"""``profile convert``, ``merge`` and ``lint`` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gofuzzsec.seccomp.effect import same_effect
from gofuzzsec.seccomp.formats import read_profile, write_profile
from gofuzzsec.seccomp.model import Provenance, plain
from gofuzzsec.seccomp.resolve import resolve
from tests.cli.conftest import Run
from tests.seccomp.published import docker_default


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A plain profile of two calls."""
    path = tmp_path / "My Service.json"
    found = plain(["read", "write"], "amd64", Provenance((("tool", "gofuzzsec 1"),)))
    path.write_text(write_profile(found, "oci").text)
    return path


def test_convert_there_and_back(run: Run, profile: Path, tmp_path: Path) -> None:
    resource, back = tmp_path / "deep" / "p.yaml", tmp_path / "back.json"
    result = run("profile", "convert", str(profile), "--to", "operator", "-o", str(resource))
    assert (result.exit_code, result.output) == (0, "")
    assert "  name: my-service\n" in resource.read_text()
    result = run("profile", "convert", str(resource), "--to", "oci", "-o", str(back))
    assert result.exit_code == 0
    assert result.stderr == "warning: lost in oci: the name 'my-service': OCI profiles have none\n"
    assert json.loads(back.read_text())["syscalls"] == json.loads(profile.read_text())["syscalls"]
    again = run("profile", "convert", str(back), "--from", "oci", "--to", "oci", "-o", "-")
    assert again.stdout == back.read_text()


def test_strict_writes_nothing_where_something_is_lost(
    run: Run, profile: Path, tmp_path: Path
) -> None:
    resource, out = tmp_path / "p.yaml", tmp_path / "out.json"
    args = ("profile", "convert", str(profile), "--to", "operator-v1beta1", "--name", "a.b")
    assert run(*args, "--strict", "-o", str(resource)).exit_code == 0
    assert "v1beta1\n" in resource.read_text()
    back = ("profile", "convert", str(resource), "--to", "oci", "--strict")
    result = run(*back, "-o", str(out))
    assert result.exit_code == 2
    assert "expected nothing to be lost in oci: the name 'a.b'" in result.stderr
    assert not out.exists()


def test_docker_default_is_decided_for_one_architecture(run: Run, tmp_path: Path) -> None:
    out, source = tmp_path / "p.yaml", str(docker_default())
    for form in ("operator", "systemd"):
        result = run("profile", "convert", source, "--to", form, "-o", str(out))
        assert result.exit_code == 2
        assert "decide them with --arch" in result.stderr
    assert not out.exists()
    args = ("--arch", "arm64", "--cap", "SYS_ADMIN", "--kernel", "5.4")
    result = run("profile", "convert", source, "--to", "operator", "-o", str(out), *args)
    assert (result.exit_code, result.output) == (0, "")
    names = {n for rule in read_profile(out).rules for n in rule.names}
    assert "mount" in names
    result = run("profile", "convert", source, "--to", "oci", "-o", str(tmp_path / "p.json"))
    assert "containerd" in result.stderr
    before, after = read_profile(docker_default()), read_profile(tmp_path / "p.json")
    assert same_effect(resolve(before, "amd64"), resolve(after, "amd64"), "amd64")


def test_what_is_no_part_of_a_profile_is_named(run: Run, profile: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "config.json", tmp_path / "out.json"
    config.write_text(f'{{"linux": {{"seccomp": {profile.read_text()}}}}}')
    result = run("profile", "convert", str(config), "--to", "oci", "-o", str(out))
    assert result.stderr == "warning: lost in oci: the OCI configuration around the profile\n"
    assert out.read_text() == profile.read_text()


def test_merge(run: Run, profile: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other.yaml", tmp_path / "both.json"
    found = plain(["read", "getpid"], "arm64")
    other.write_text(write_profile(found, "oci").text)
    result = run("profile", "merge", str(profile), str(other), "-o", str(out))
    assert result.exit_code == 0
    assert result.stderr.count("warning: ") == 1
    merged = read_profile(out)
    assert merged.provenance.all("merged") == ("My Service.json", "other.yaml")
    assert merged.provenance.all("tool") == ("gofuzzsec 1",)
    result = run("profile", "merge", str(profile), "-o", "-", "--to", "operator", "--name", "x")
    assert "name: x\n" in result.stdout
    result = run("profile", "merge", str(profile), str(other), "-o", "-", "--to", "operator")
    assert result.exit_code == 2
    assert "expected the same calls on all architectures for operator" in result.stderr


def test_lint(run: Run, profile: Path, tmp_path: Path) -> None:
    result = run("profile", "lint", str(profile))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing found\n")
    bad = tmp_path / "bad.json"
    bad.write_text(write_profile(plain(["bpf", "socket", "seccomp"], "amd64"), "oci").text)
    result = run("profile", "lint", str(profile), str(bad))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{bad}:10:9: error: bpf is allowed: it loads programs")
    assert lines[0].endswith("; remove it [bpf, amd64]")
    assert result.stderr == "1 error, 2 warnings, 1 note\n"
    result = run("profile", "lint", "--json", "--arch", "amd64", str(bad))
    first = json.loads(result.stdout.splitlines()[0])
    assert first["event"] == "finding"
    assert (first["file"], first["line"], first["column"]) == (str(bad), 10, 9)
    assert (first["severity"], first["check"], first["call"]) == ("error", "bpf", "bpf")
    assert first["arches"] == ["amd64"]
    assert result.exit_code == 1


def test_a_broken_profile_is_named(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"defaultAction": "SCMP_ACT_ERRNO",\n "x": 1}')
    for command in ("lint", "merge", "convert"):
        more = {"merge": ("-o", "-"), "convert": ("--to", "oci", "-o", "-")}.get(command, ())
        result = run("profile", command, str(path), *more)
        assert result.exit_code == 2
        assert f"{path}:2:2: expected a field of a seccomp profile, found 'x'" in result.stderr
