"""systemd drop-ins: read as systemd reads them, written so that systemd does the same."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.effect import Verdict, allowed_names, differences, same_effect, verdict
from gofuzzsec.seccomp.formats import parse_profile, write_profile
from gofuzzsec.seccomp.formats.systemd import LOCAL, read_systemd
from gofuzzsec.seccomp.formats.systemd_groups import (
    IMPLIED,
    KNOWN,
    always,
    ever,
    group_names,
    members,
)
from gofuzzsec.seccomp.formats.systemd_write import write_systemd
from gofuzzsec.seccomp.formats.words import known_calls
from gofuzzsec.seccomp.model import (
    Action,
    Condition,
    Op,
    Profile,
    Provenance,
    Rule,
    plain,
)
from gofuzzsec.syscalls import table
from tests.requirements import missing
from tests.seccomp.profiles import provenances

ALLOW = Verdict(Action.ALLOW)
KILL = Verdict(Action.KILL_PROCESS)


def unit(*lines: str) -> Profile:
    return read_systemd("\n".join(("[Service]", *lines, "")), "a.conf")


def answer(profile: Profile, call: str) -> Verdict:
    return verdict(profile, "amd64", call)


def test_a_list_that_allows() -> None:
    profile = unit("SystemCallFilter=read mount", "SystemCallErrorNumber=EACCES")
    assert answer(profile, "mount") == ALLOW
    assert answer(profile, "execve") == ALLOW  # of @default
    assert answer(profile, "socket") == Verdict(Action.ERRNO, 13)
    assert allowed_names(profile, "amd64") == ({"read", "mount"} | members(IMPLIED)) & table.names(
        "amd64"
    )
    assert answer(unit("SystemCallFilter=read"), "socket") == KILL


def test_a_list_that_denies() -> None:
    profile = unit(
        "SystemCallFilter=~mount @raw-io:ENOSYS",
        "SystemCallFilter=~ ptrace:kill bpf:0",
        "SystemCallErrorNumber=1",
    )
    assert answer(profile, "read") == ALLOW
    assert answer(profile, "mount") == Verdict(Action.ERRNO, 1)
    assert answer(profile, "iopl") == Verdict(Action.ERRNO, 38)
    assert answer(profile, "ptrace") == KILL
    assert answer(profile, "bpf") == Verdict(Action.ERRNO, 0)


def test_lines_merge_take_away_and_start_over() -> None:
    profile = unit(
        "SystemCallFilter=@mount",
        "SystemCallFilter=",
        "SystemCallFilter=@basic-io ptrace",
        "SystemCallFilter=~ptrace read write:EIO execve",
        "SystemCallFilter=read",
        "SystemCallErrorNumber=EIO",
        "SystemCallErrorNumber=",
    )
    assert answer(profile, "read") == ALLOW
    assert answer(profile, "write") == Verdict(Action.ERRNO, 5)
    for call in ("ptrace", "mount", "execve"):
        assert answer(profile, call) == KILL
    denied = unit("SystemCallFilter=~@mount", "SystemCallFilter=mount", "SystemCallFilter=~acct")
    assert [answer(denied, call) for call in ("mount", "umount2", "acct")] == [ALLOW, KILL, KILL]


def test_what_is_logged() -> None:
    logged = Verdict(Action.LOG)
    chosen = unit("SystemCallFilter=@basic-io", "SystemCallLog=read mount", "SystemCallLog=~write")
    assert [answer(chosen, call) for call in ("read", "write", "mount")] == [logged, ALLOW, KILL]
    rest = unit("SystemCallLog=~read")
    assert [answer(rest, call) for call in ("read", "write")] == [ALLOW, logged]
    denied = unit("SystemCallFilter=~mount", "SystemCallLog=~")
    assert [answer(denied, call) for call in ("mount", "read")] == [KILL, logged]


def test_the_rest_of_a_unit_is_left_alone() -> None:
    text = """\
    # A unit
    [Unit]
    Description=read this
    [Service]
    ExecStart=/bin/sh -c \\
    ; a comment in between
        "SystemCallFilter=~read"
    SystemCallFilter = mount \\
      # and
      bpf
    RestrictNamespaces=yes
    SystemCallArchitectures=native x86
    """
    profile = read_systemd(text.replace("    ", "", 1).replace("\n    ", "\n"), "a.service")
    assert answer(profile, "bpf") == answer(profile, "mount") == ALLOW
    assert profile.architectures == ("SCMP_ARCH_X86",)
    assert profile.left_out == ("RestrictNamespaces=, for which systemd has a filter of its own",)
    assert unit("SystemCallArchitectures=native").architectures == ()
    both = unit("SystemCallFilter=read", "SystemCallArchitectures=x86", "SystemCallArchitectures=")
    assert both.architectures == LOCAL[table.machine_arch()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Service]\nSystemCallFilter=read \\\n  opennat", r"a.conf:3:3: .*mean 'openat'"),
        ("[Service]\nSystemCallFilter=@bsaic-io", r":2:18: .*group.*mean '@basic-io'"),
        ("[Service]\nSystemCallFilter=read:EPERM", r":2:18: .*only in a list that denies"),
        ("[Service]\nSystemCallFilter=~ read:EWHAT", r":2:25: .*expected an errno"),
        ("[Service]\nSystemCallFilter=~read:4096", r":2:24: "),
        ("[Service]\nSystemCallLog=~read:1", r":2:16: .*without an errno"),
        ("[Service]\nSystemCallErrorNumber=0", r":2:23: "),
        ("[Service]\nSystemCallErrorNumber=1 2", r":2:25: "),
        ("[Service]\nSystemCallErrorNumber=²", r":2:23: "),
        ("[Service]\nSystemCallArchitectures=x86-46", r":2:25: .*mean 'x86-64'"),
        ("[Install]\nSystemCallFilter=read", r":2:1: .*\[Install\]"),
        ("SystemCallFilter=read", r":1:1: .*no section"),
        ("[Service\nSystemCallFilter=read", r":1:1: .*no \]"),
        ("[Service]\n  SystemCallFilter", r":2:3: .*without ="),
        ("[Service]\nExecStart=/bin/true", "found none"),
        ("[Service]\nSystemCallFilter=" + "@known " * 5001, "at most 5000"),
    ],
)
def test_what_systemd_would_ignore_is_an_error(text: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        parse_profile(text, "systemd", "a.conf")


def test_groups_hold_calls_and_each_other() -> None:
    assert members(KNOWN) == known_calls()
    for group in group_names():
        assert members(group) <= known_calls()
        assert always(group) <= members(group) <= ever(group)
        assert members(group) or group == "@cpu-emulation"
    assert members("@chown") < members("@privileged")
    assert "seccomp" in ever(IMPLIED) - always(IMPLIED)


def test_groups_of_this_machines_systemd() -> None:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is not installed")
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", "@file-system", "@mount", IMPLIED],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    groups: dict[str, set[str]] = {}
    for line in listed.splitlines():
        word = line.strip()
        if line.startswith("@"):
            groups[word] = found = set()
        elif word and not word.startswith(("#", "@")):
            found.add(word)
    for group, found in groups.items():
        assert found & known_calls() <= ever(group)
        assert always(group) - members("@sandbox") <= found


NAMES = sorted(table.names("amd64"))
SOME = st.lists(st.sampled_from(NAMES), max_size=8).map(set)
WHOLE = st.sampled_from(group_names()).map(lambda group: set(members(group)))
CALLS = st.one_of(
    SOME, st.tuples(WHOLE, WHOLE, SOME, SOME).map(lambda s: (s[0] | s[1] | s[2]) - s[3])
)
ANSWERS = st.sampled_from(
    [(Action.ERRNO, 1), (Action.ERRNO, 38), (Action.KILL_PROCESS, None), (Action.LOG, None)]
)
ARCHITECTURES = st.sampled_from(
    [(), ("SCMP_ARCH_X86_64",), ("SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64"), LOCAL["amd64"]]
)


@st.composite
def sayable(draw: st.DrawFn) -> Profile:
    """What systemd can say."""
    action, errno = draw(ANSWERS | st.just((Action.ALLOW, None)))
    others = draw(st.lists(st.tuples(CALLS, ANSWERS | st.just((Action.ALLOW, None))), max_size=3))
    rules: list[Rule] = []
    taken: set[str] = set()
    for names, (then, number) in others:
        if left := names - taken:
            rules.append(Rule(tuple(sorted(left)), then, number))
            taken |= left
    return Profile(
        action,
        errno,
        draw(ARCHITECTURES),
        rules=tuple(rules),
        provenance=draw(provenances),
        name=draw(st.sampled_from(["", "web.service"])),
    )


@settings(max_examples=80, deadline=None)
@given(sayable())
def test_what_systemd_can_say_comes_back(profile: Profile) -> None:
    written = write_systemd(profile)
    assert written.losses == ()
    again = read_systemd(written.text, "written")
    for arch in table.ARCHITECTURES:
        assert differences(profile, again, arch) == ()
        assert same_effect(profile, again, arch)
    assert set(again.architectures) == set(profile.architectures)
    assert again.provenance == profile.provenance
    assert again.name == profile.name
    turned = replace(profile, rules=tuple(reversed(profile.rules)))
    assert write_systemd(turned) == written


@settings(max_examples=30, deadline=None)
@given(sayable())
def test_every_version_of_systemd_does_the_same(profile: Profile) -> None:
    """Groups with their least and with their most members come to the same."""
    assume(profile.architectures in ((), ("SCMP_ARCH_X86_64",)))
    written = write_systemd(profile).text
    for version in (always, ever):
        lines = []
        for line in written.split("\n"):
            setting, _, value = line.partition("=")
            mark = "~" if value.startswith("~") else ""
            group, _, errno = value.removeprefix("~").partition(":")
            if value and group.startswith("@") and group != IMPLIED:
                suffix = f":{errno}" if errno else ""
                value = mark + " ".join(name + suffix for name in sorted(version(group)))
            lines.append(f"{setting}={value}" if "=" in line else line)
        again = read_systemd("\n".join(lines), "expanded")
        assert differences(profile, again, "amd64") == ()


def test_groups_are_used_where_all_of_a_group_is_allowed() -> None:
    whole = plain([*members("@memlock"), "read"], "amd64")
    assert "SystemCallFilter=@memlock\n" in write_systemd(whole).text
    part = plain([*sorted(members("@memlock"))[1:], "read"], "amd64")
    assert "@memlock" not in write_systemd(part).text
    opened = plain(["chroot", "mount", *(members("@mount") - {"open_tree"})], "amd64")
    assert "@mount" not in write_systemd(opened).text  # systemd 252 has open_tree in it


def test_an_initial_has_a_line() -> None:
    text = write_systemd(plain(["read", "readv", "bind"], "amd64")).text
    assert "SystemCallFilter=bind\nSystemCallFilter=read readv\n" in text


def test_a_call_allowed_for_some_arguments_is_refused_and_named() -> None:
    some = Rule(("socket", "prctl"), Action.ALLOW, conditions=(Condition(0, Op.EQ, 1),))
    written = write_systemd(Profile(Action.ERRNO, 1, rules=(some,)))
    (loss,) = written.losses
    assert loss.startswith("prctl, socket: allowed for some arguments only")
    assert not allowed_names(read_systemd(written.text, "w"), "amd64")
    denied = Profile(Action.ALLOW, rules=(Rule(("socket",), Action.ERRNO, 1, some.conditions),))
    written = write_systemd(denied)
    assert written.losses[0].startswith("socket: allowed for some")
    assert answer(read_systemd(written.text, "w"), "socket") == Verdict(Action.ERRNO, 1)
    with pytest.raises(ProfileError, match="expected nothing to be lost"):
        write_profile(denied, "systemd", strict=True)


def test_what_has_no_word_in_systemd_is_a_loss() -> None:
    profile = Profile(
        Action.TRAP,
        architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_SH"),
        rules=(
            Rule(("read",), Action.ALLOW, comment="needed"),
            Rule(("mount",), Action.ERRNO, 0),
            Rule(("bpf",), Action.NOTIFY),
            Rule(("acct",), Action.TRACE, 3),
            Rule(("ptrace",), Action.KILL_THREAD),
            Rule(("kcmp",), Action.ERRNO, 5, (Condition(1, Op.EQ, 2),)),
        ),
        flags=("SECCOMP_FILTER_FLAG_LOG",),
        listener_path="/run/agent.sock",
        provenance=Provenance((("tool", "x; y"),)),
        name="two words",
    )
    written = write_systemd(profile)
    lost = "\n".join(written.losses)
    for word in (
        "the default action: systemd has no SCMP_ACT_TRAP",
        "mount: systemd has no errno 0",
        "bpf: systemd has no SCMP_ACT_NOTIFY",
        "acct: systemd has no SCMP_ACT_TRACE",
        "ptrace: systemd has no SCMP_ACT_KILL_THREAD",
        "kcmp: its answer depends on arguments",
        "SCMP_ARCH_SH: systemd has no name",
        "flags",
        "the listener",
        "comments",
        "the name",
    ):
        assert word in lost
    assert allowed_names(read_systemd(written.text, "w"), "amd64") == {"read"}


def test_conditions_that_cover_everything_are_no_loss_of_access() -> None:
    both = tuple(
        Rule(("read",), Action.ALLOW, None, (Condition(0, op, 7),)) for op in (Op.EQ, Op.NE)
    )
    text = write_systemd(Profile(Action.ERRNO, 1, rules=both)).text
    assert answer(read_systemd(text, "w"), "read") == ALLOW
    denied = tuple(
        Rule(("read",), Action.ERRNO, 1, (Condition(0, op, 7),)) for op in (Op.EQ, Op.NE)
    )
    text = write_systemd(Profile(Action.ALLOW, rules=denied)).text
    assert answer(read_systemd(text, "w"), "read") == Verdict(Action.ERRNO, 1)


def test_systemd_itself_has_nothing_against_it(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is not installed")
    calls = always(IMPLIED) | always("@system-service") | {"mount"}
    profile = Profile(
        Action.ERRNO,
        1,
        rules=(
            Rule(tuple(sorted(calls & table.names("amd64"))), Action.ALLOW),
            Rule(("ptrace", "bpf"), Action.KILL_PROCESS),
            Rule(("acct",), Action.ERRNO, 38),
            Rule(("reboot",), Action.LOG),
        ),
        provenance=Provenance((("tool", "gofuzzsec"),)),
    )
    path = tmp_path / "written.service"
    path.write_text(write_systemd(profile).text + "ExecStart=/bin/true\n")
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    said = [line for line in verified.stderr.splitlines() if str(path) in line]
    newer = known_calls()  # which the machine's systemd may not all know
    assert [line for line in said if line.rpartition("ignoring: ")[2] not in newer] == []


WORDS = (
    "[Service] [ SystemCallFilter SystemCallLog SystemCallErrorNumber SystemCallArchitectures "
    "native x86 read @mount @known kill EPERM 1 = =x ~ : # ; \\ é \0"
)
PIECES = st.sampled_from([*WORDS.split(" "), "\\\n", "\n", " ", "\t", "\r", "# profile: "])


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=60))
def test_any_text_is_a_profile_or_an_error(text: str) -> None:
    for whole in (text, f"[Service]\nSystemCallFilter=read\n{text}"):
        try:
            profile = read_systemd(whole, "any")
        except ProfileError:
            continue
        again = read_systemd(write_systemd(profile).text, "written")
        assert same_effect(profile, again, "amd64")


def test_long_texts_take_no_time() -> None:
    for text in ("x=y\n" * 50_000, "\\\n" * 500_000, "@known " * 140_000, "[a" * 500_000):
        with pytest.raises(ProfileError):
            parse_profile(text, "systemd")
