"""Giving up root's privileges: looked at in processes of their own, which really are root's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import gofuzzsec
from gofuzzsec import privilege
from gofuzzsec.errors import PrivilegeError
from gofuzzsec.privilege import Capability, Invoker, tracing_capabilities
from tests.requirements import missing, require_bpf, require_root

USER = 54321  # an id without an entry in the password database
RECORDER = sum(1 << capability for capability in tracing_capabilities())

_FACTS = """
import json, os, subprocess, sys
from pathlib import Path
from gofuzzsec import privilege

def status():
    wanted = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapAmb")
    return {name: value for name, value in privilege._fields(Path("/proc/self/status")).items()
            if name in wanted}

def of_child():
    script = "import os, sys; sys.stdout.write(open('/proc/self/status').read())"
    text = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True,
                          text=True).stdout
    return dict(line.split(":\\t", 1) for line in text.splitlines())

def facts(**more):
    print(json.dumps({"own": status(), "child": of_child(), **more}))
"""


@pytest.fixture(scope="session")
def everybodys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A Python that any user may run, and a folder that any user may read with our package in it.

    The machine's own serves where the one that runs the tests is below /root.
    """
    require_root()
    for python in (sys.executable, "/usr/bin/python3"):
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        try:
            done = subprocess.run([python, "-c", code], user=USER, group=USER, check=False, cwd="/")
        except OSError:
            continue
        if done.returncode == 0:
            break
    else:
        missing("a Python >= 3.11 that any user may run (Debian: /usr/bin/python3)")
    # Not below pytest's own folder, which is for root alone.
    folder = Path(tempfile.mkdtemp(prefix="gofuzzsec-everybodys-"))
    folder.chmod(0o777)
    source = Path(gofuzzsec.__file__).parent
    shutil.copytree(
        source,
        folder / "gofuzzsec",
        ignore=shutil.ignore_patterns("__pycache__", "agent", "shipped", "source", "*.json"),
    )
    yield python, folder
    shutil.rmtree(folder)


def run(
    everybodys: tuple[str, Path],
    code: str,
    environment: Mapping[str, str],
    command: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run *code* behind `_FACTS` as root with *environment*; *command* comes before Python."""
    python, folder = everybodys
    basic = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "HOME": "/root"}
    return subprocess.run(
        [*command, python, "-c", f"{_FACTS}\n{code}"],
        env={**basic, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def sudo(uid: int | str = USER, gid: int | str = USER) -> dict[str, str]:
    return {"SUDO_UID": str(uid), "SUDO_GID": str(gid), "SUDO_USER": "somebody"}


def test_under_sudo_only_this_process_keeps_the_recorders_capabilities(
    everybodys: tuple[str, Path],
) -> None:
    code = """
privilege.drop_to_invoker()
Path("made").write_text("")
try:
    os.setuid(0)
    back = True
except PermissionError:
    back = False
facts(back=back, problem=privilege.can_trace(), owner=os.stat("made").st_uid,
      again=privilege.drop_to_invoker(), fds=os.listdir("/proc/self/fd") != [],
      environment=dict(os.environ))
"""
    environment = {
        **sudo(),
        "XDG_CACHE_HOME": "/root/.cache",
        "XDG_DATA_HOME": "/srv/data",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "MAIL": "/var/mail/root",
    }
    done = run(everybodys, code, environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for who, capabilities in ("own", RECORDER), ("child", 0):
        assert found[who]["Uid"].split() == [str(USER)] * 4
        assert found[who]["Gid"].split() == [str(USER)] * 4
        assert found[who]["Groups"].split() == [str(USER)]
        assert int(found[who]["CapPrm"], 16) == int(found[who]["CapEff"], 16) == capabilities
        assert int(found[who]["CapInh"], 16) == int(found[who]["CapAmb"], 16) == 0
    assert found["back"] is False
    assert found["problem"] is None
    assert found["owner"] == USER
    assert found["again"] is None
    assert found["fds"]
    after = found["environment"]
    assert not [name for name in after if name.startswith("SUDO_")]
    assert after["HOME"] == "/"
    assert after["USER"] == after["LOGNAME"] == str(USER)
    assert "XDG_CACHE_HOME" not in after
    assert after["XDG_DATA_HOME"] == "/srv/data"
    assert after["XDG_RUNTIME_DIR"] == f"/run/user/{USER}"
    assert "MAIL" not in after


def test_nothing_is_kept_where_nothing_is_asked_for(everybodys: tuple[str, Path]) -> None:
    code = "privilege.drop_to_invoker(()); facts(problem=privilege.can_trace())"
    found = json.loads(run(everybodys, code, sudo()).stdout)
    assert int(found["own"]["CapPrm"], 16) == 0
    assert "start gofuzzsec with sudo" in found["problem"]


def test_threads_that_were_there_before_keep_nothing(everybodys: tuple[str, Path]) -> None:
    code = """
import threading
def watch(name):
    caps[name] = privilege._fields(Path("/proc/thread-self/status"))["CapPrm"]
ready, caps = threading.Event(), {}
before = threading.Thread(target=lambda: (ready.wait(), watch("before")))
before.start()
privilege.drop_to_invoker()
ready.set()
after = threading.Thread(target=watch, args=("after",))
after.start(); before.join(); after.join()
facts(**caps)
"""
    found = json.loads(run(everybodys, code, sudo()).stdout)
    assert int(found["before"], 16) == 0
    assert int(found["after"], 16) == RECORDER


@pytest.mark.parametrize("environment", [{}, sudo(0, 0)])
def test_root_without_sudo_stays_root(
    everybodys: tuple[str, Path], environment: Mapping[str, str]
) -> None:
    code = "facts(user=privilege.drop_to_invoker())"
    found = json.loads(run(everybodys, code, environment).stdout)
    assert found["user"] is None
    assert found["own"]["Uid"].split() == found["child"]["Uid"].split() == ["0"] * 4


@pytest.mark.parametrize("uid", ["", "-1", "12x", "0x10", "99999999999", "4294967295"])
def test_what_is_no_user_id_is_refused(everybodys: tuple[str, Path], uid: str) -> None:
    code = """
from gofuzzsec.errors import PrivilegeError
try:
    privilege.drop_to_invoker()
except PrivilegeError as error:
    facts(error=str(error))
"""
    found = json.loads(run(everybodys, code, sudo(uid)).stdout)
    assert "sudo" in found["error"]
    assert found["own"]["Uid"].split()[0] == "0"


def as_user_with(capabilities: str) -> tuple[str, ...]:
    """The command that starts the next one as `USER` with *capabilities*, ambient ones."""
    if shutil.which("setpriv") is None:
        missing("setpriv (Debian: util-linux)")
    return (
        *("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"),
        *("--inh-caps", capabilities, "--ambient-caps", capabilities),
    )


def test_capabilities_given_to_a_user_are_not_passed_on(everybodys: tuple[str, Path]) -> None:
    command = as_user_with("+bpf,+perfmon,+sys_admin,+net_raw")
    code = "user = privilege.drop_to_invoker(); facts(user=user, problem=privilege.can_trace())"
    done = run(everybodys, code, {}, command)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    net_raw = 1 << 13
    recording = sum(1 << capability for capability in Capability)
    assert found["user"] is None
    assert found["problem"] is None
    assert int(found["own"]["CapEff"], 16) == recording | net_raw
    assert int(found["child"]["CapEff"], 16) == net_raw, "what is not for recording stays"


def test_root_in_a_container_drops_too(everybodys: tuple[str, Path]) -> None:
    if shutil.which("setpriv") is None:
        missing("setpriv (Debian: util-linux)")
    command = ("setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin")
    code = "privilege.drop_to_invoker(); facts(problem=privilege.can_trace())"
    found = json.loads(run(everybodys, code, sudo(), command).stdout)
    assert found["own"]["Uid"].split()[0] == str(USER)
    assert int(found["own"]["CapPrm"], 16) == 0
    assert "CAP_BPF" in found["problem"]


def test_a_python_that_the_user_cannot_read(everybodys: tuple[str, Path]) -> None:
    code = """
from gofuzzsec.errors import PrivilegeError
import encodings.idna
closed = Path("closed")
closed.mkdir(mode=0o700)
privilege.__file__ = str(closed / "privilege.py")
try:
    privilege.drop_to_invoker()
except PrivilegeError as error:
    print(error)
"""
    assert "install it in a folder of that user" in run(everybodys, code, sudo()).stdout


@pytest.mark.parametrize("who", ["sudo", "user with capabilities"])
def test_recording_works_without_root(everybodys: tuple[str, Path], who: str) -> None:
    require_bpf()
    cache = {"GOFUZZSEC_CACHE": str(everybodys[1] / f"cache of {who}")}
    names = ",".join(f"+{capability.name.lower()}" for capability in tracing_capabilities())
    code = """
from gofuzzsec.syscalls.bpf import doctor
privilege.drop_to_invoker()
facts(checks={check.name: [check.ok, check.found, check.advice]
              for check in doctor.recording_checks([])})
"""
    if who == "sudo":
        done = run(everybodys, code, sudo() | cache)
    else:
        done = run(everybodys, code, cache, as_user_with(names))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["own"]["Uid"].split()[0] == str(USER)
    assert all(ok for ok, *_ in found["checks"].values()), found["checks"]
    assert "bpf recorder" in found["checks"]


def test_the_password_database_gives_the_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    user = privilege.invoker()
    assert isinstance(user, Invoker)
    assert (user.uid, user.name) == (65534, "nobody")
    assert 65534 in user.groups
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert privilege.invoker() is None


def test_root_without_capabilities_is_told_of_the_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(privilege, "_held", lambda kind: frozenset({Capability.PERFMON}))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(privilege, "kernel_version", lambda: (6, 18))
    problem = privilege.can_trace() or ""
    assert "--cap-add BPF" in problem
    assert "\n" not in problem


def test_another_user_namespace_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "_held", lambda kind: frozenset(Capability))
    monkeypatch.setattr(privilege, "_in_first_user_namespace", lambda: False)
    assert "user namespace" in (privilege.can_trace() or "")


def test_old_kernels_take_the_large_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "kernel_version", lambda: (6, 5))
    assert privilege.tracing_capabilities() == {Capability.SYS_ADMIN}


def test_folders_of_root(everybodys: tuple[str, Path]) -> None:
    code = """
from gofuzzsec.errors import PrivilegeError
os.mkdir("campaign"); Path("campaign/campaign.db").write_text("")
os.mkdir("mine"); os.chown("mine", 54321, -1)
os.makedirs("closed/campaign"); os.chmod("closed", 0o700)
privilege.drop_to_invoker()
def tried(path):
    try:
        privilege.require_writable(Path(path))
    except PrivilegeError as error:
        return str(error)
facts(root=tried("campaign"), below=tried("campaign/new/one"), mine=tried("mine/new"),
      closed=tried("closed/campaign"))
"""
    found = json.loads(run(everybodys, code, sudo()).stdout)
    assert "belongs to root" in found["root"]
    assert "sudo chown -R 54321 campaign" in found["root"]
    for name in ("below", "closed"):
        assert "belongs to root" in found[name]
        assert "chown" not in found[name], "what is not ours to give away"
    assert found["mine"] is None


def test_files_of_root_in_a_folder_of_the_user(everybodys: tuple[str, Path]) -> None:
    code = """
from gofuzzsec.errors import PrivilegeError
os.mkdir("half"); os.chown("half", 54321, -1); Path("half/campaign.db").write_text("")
privilege.drop_to_invoker()
try:
    privilege.require_writable(Path("half"))
except PrivilegeError as error:
    facts(error=str(error))
"""
    error = json.loads(run(everybodys, code, sudo()).stdout)["error"]
    assert "half/campaign.db" in error


def test_writable_folders_pass(tmp_path: Path) -> None:
    privilege.require_writable(tmp_path)
    privilege.require_writable(tmp_path / "not" / "there")


def test_errors_end_a_command_without_a_traceback() -> None:
    assert PrivilegeError("x").exit_status == 3
