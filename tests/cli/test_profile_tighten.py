"""`profile tighten` and `profile check` on a real campaign of a real module."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gofuzzsec.seccomp.effect import allowed_names
from gofuzzsec.seccomp.formats import read_profile
from gofuzzsec.store import Store
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse
from gofuzzsec.syscalls.table import machine_arch
from tests.cli.tiny import MAKE_LINE, SOCKET_LINE, Tiny, profile_without, wide_profile


def test_check_passes_what_build_made(tiny: Tiny, tmp_path: Path) -> None:
    profile = profile_without(tiny, tmp_path / "p.json")
    done = tiny.run("check", str(profile), "-c", str(tiny.campaign))
    assert done.exit_code == 0, done.output
    assert "allows everything that the evidence needs" in done.stdout


def test_check_annotates_the_line_that_needs_a_refused_call(tiny: Tiny, tmp_path: Path) -> None:
    profile = profile_without(tiny, tmp_path / "p.json", "socket", "mkdirat")
    args = ("check", str(profile), "-c", str(tiny.campaign))
    github = tiny.run(*args, "--format", "github")
    assert github.exit_code == 1
    lines = github.stdout.splitlines()
    assert any(line.startswith(f"::error file=tiny.go,line={SOCKET_LINE},") for line in lines)
    assert any(line.startswith(f"::error file=tiny.go,line={MAKE_LINE},") for line in lines)
    text = tiny.run(*args)
    assert text.exit_code == 1
    assert f"from tiny.go:{SOCKET_LINE} (example.org/tiny.open)" in text.stdout
    assert "REFUSES 2 calls" in text.stdout
    objects = [json.loads(x) for x in tiny.run(*args, "--format", "json").stdout.splitlines()]
    (socket,) = [each for each in objects if each["call"] == "socket"]
    assert (socket["finding"], socket["words"]) == ("refused", "AF_UNIX SOCK_STREAM")
    assert (socket["needed_by"][0]["file"], socket["needed_by"][0]["line"]) == (
        "tiny.go",
        SOCKET_LINE,
    )


def test_tighten_with_the_program_and_check_again(tiny: Tiny, tmp_path: Path) -> None:
    wide, out = wide_profile(tmp_path / "wide.json"), tmp_path / "out.json"
    args = ["tighten", str(wide), "--evidence", str(tiny.campaign), "-o", str(out)]
    args += ["--binary", str(tiny.program), "--no-children"]
    done = tiny.run(*args, "--unseen", "log")
    assert done.exit_code == 0, done.output
    after = read_profile(out)
    left = allowed_names(after, machine_arch())
    assert {"socket", "mkdirat", "symlinkat", "mount", "execve"} <= left
    assert not {"kexec_load", "bpf", "init_module"} & left
    assert "kexec_load" in done.stdout
    assert re.search(
        r"^socket +allowed +allowed for what was seen +seen: AF_UNIX", done.stdout, re.M
    )
    assert re.search(
        r"^mount +allowed +allowed, logged +reachable and never seen", done.stdout, re.M
    )
    assert after.provenance.all("tightened-from")[0].startswith("wide.json (SHA-256 ")
    assert tiny.run("check", str(out), "-c", str(tiny.campaign)).exit_code == 0
    again = tiny.run(*args, "--unseen", "log", "--json")
    objects = [json.loads(line) for line in again.stdout.splitlines()]
    assert objects[-1]["event"] == "tightened"
    assert objects[-1]["before"] > 2 * objects[-1]["after"]


def test_tighten_without_a_program_takes_nothing_out(tiny: Tiny, tmp_path: Path) -> None:
    wide = wide_profile(tmp_path / "wide.json")
    args = ["tighten", str(wide), "--evidence", str(tiny.campaign), "--args", "none"]
    done = tiny.run(*args, "-o", "-", "--to", "operator")
    assert done.exit_code == 0, done.output
    assert "kind: SeccompProfile" in done.stdout
    assert "no program is given" in done.stderr
    assert "nothing changes" in done.stderr


def test_a_format_without_conditions_does_not_cost_a_needed_call(
    tiny: Tiny, tmp_path: Path
) -> None:
    wide, out = wide_profile(tmp_path / "wide.json"), tmp_path / "tiny.conf"
    args = ["--evidence", str(tiny.campaign), "-o", str(out), "--to", "systemd"]
    done = tiny.run("tighten", str(wide), *args)
    assert done.exit_code == 0, done.output
    assert "systemd knows no conditions on arguments" in done.stderr
    assert "RESULT REFUSES" not in done.stderr
    assert tiny.run("check", str(out), "-c", str(tiny.campaign)).exit_code == 0
    document = json.loads(wide.read_text())
    document["syscalls"][0]["names"].remove("socket")
    unix = {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}
    document["syscalls"].append({"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [unix]})
    wide.write_text(json.dumps(document))
    done = tiny.run("tighten", str(wide), *args)
    assert "THE RESULT REFUSES WHAT IS NEEDED, for want of words: socket" in done.stderr


def test_contradicting_options_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    wide, child = wide_profile(tmp_path / "wide.json"), str(tiny.program)
    args = ["tighten", str(wide), "--evidence", str(tiny.campaign), "-o", "-"]
    done = tiny.run(*args, "--no-children", "--child", child)
    assert (done.exit_code, "--child or --no-children" in done.stderr) == (2, True)
    for more, message in (
        (("--kernel", "six"), "major.minor"),
        (("--cap", "sys admin"), "SYS_ADMIN"),
    ):
        assert message in tiny.run(*args, *more).stderr


def test_evidence_of_several_campaigns_is_one(tiny: Tiny, tmp_path: Path) -> None:
    with Store.create(tmp_path / "more") as store:
        program = store.add_program("example.org/more")
        use = SyscallUse("bpf", Origin.TARGET, 1)
        cut = Recording((use,), complete=False, problem="cut short")
        store.add_capture(program.id, "integration", "./more", cut, arch=machine_arch())
    profile = profile_without(tiny, tmp_path / "p.json")
    both = ["-c", str(tiny.campaign), "-c", str(tmp_path / "more")]
    done = tiny.run("check", str(profile), *both)
    assert done.exit_code == 1
    assert "REFUSED: bpf: the profile answers errno 1" in done.stdout
    assert "needed by an integration run ./more of example.org/more" in done.stdout
    assert "EVIDENCE INCOMPLETE: 1 recordings may miss calls" in done.stderr
    with Store.create(tmp_path / "else") as store:
        program = store.add_program("example.org/else")
        other = "arm64" if machine_arch() == "amd64" else "amd64"
        store.add_capture(program.id, "integration", "x", Recording((use,)), arch=other)
    done = tiny.run("check", str(profile), *both, "-c", str(tmp_path / "else"))
    assert (done.exit_code, "expected campaigns of one architecture" in done.stderr) == (2, True)


def test_a_profile_that_depends_on_the_machine_is_taken_as_told(tiny: Tiny, tmp_path: Path) -> None:
    profile = profile_without(tiny, tmp_path / "p.json", "socket")
    document = json.loads(profile.read_text())
    extra = {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}}
    document["syscalls"].append(extra)
    profile.write_text(json.dumps(document))
    args = ("check", str(profile), "-c", str(tiny.campaign))
    refused = tiny.run(*args)
    assert refused.exit_code == 1
    assert "capabilities AUDIT_WRITE" in refused.stderr
    assert tiny.run(*args, "--cap", "BPF").exit_code == 0
    done = tiny.run(*args, "--cap", "bpf", "--cap", "-cap_bpf", "--cap", "-ALL", "--kernel", "5.4")
    assert done.exit_code == 1
    assert "Linux 5.4 and the capabilities none" in done.stderr
