"""What tightening changed, in words."""

from __future__ import annotations

from gofuzzsec.report.profiles.tighten import sentence, tightened_fields, tightened_text
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule
from gofuzzsec.seccomp.tighten import Tightened, Unseen, Wish, tighten
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS
from tests.seccomp.made import TARGET, bound, row

ALWAYS = len({*OCI_RUNTIME_CALLS, *KERNEL_CALLS})
WITH_32_BIT = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")


def result(*rows: SyscallRow, wish: Wish | None = None) -> Tightened:
    names = (*OCI_RUNTIME_CALLS, *KERNEL_CALLS, "mount", "ptrace", "mkdirat")
    unix = Rule(("socket",), Action.ALLOW, conditions=(Condition(0, Op.EQ, 1),))
    profile = Profile(Action.ERRNO, 1, WITH_32_BIT, rules=(Rule(names, Action.ALLOW), unix))
    wanted = wish or Wish(bounds=(bound("mount"),))
    return tighten(profile, tuple((TARGET, each) for each in rows), "amd64", wanted)


def test_the_table_has_each_change_the_many_impossible_ones_last() -> None:
    wish = Wish(bounds=(bound("mount"),), unseen=Unseen.LOG)
    text = tightened_text(result(row("mkdirat"), wish=wish), "p.json", "amd64")
    lines = [line.split()[0] for line in text.split("\n\n")[0].splitlines()]
    assert lines == ["CALL", "mount", "ptrace", "socket", "SCMP_ARCH_X86"]
    assert text.endswith(
        f"p.json: {ALWAYS + 4} calls let through ({ALWAYS + 1} needed, 1 possible, 2 impossible); "
        f"{ALWAYS + 2} now"
    )


def test_kept_calls_missing_ones_and_doubts_are_told() -> None:
    rows = (row("socket", (2, 1)), row("socket"), row("bpf"), row("bpf", source="tests"))
    text = tightened_text(result(*rows, wish=Wish()), "p.json", "amd64")
    assert text.startswith("nothing changes\n")
    assert "3 calls are possible, not seen, and kept:\n  mkdirat mount ptrace" in text
    assert "WARNING: the evidence needs what p.json refuses already:" in text
    assert "  bpf: is refused; needed by fuzz 0123456789abcdef" in text
    assert "  socket (AF_INET SOCK_STREAM): is refused" in text
    assert "  socket: may be refused (its arguments are not known" in text
    assert "no call was held impossible:\n  no program is given" in text


def test_what_was_added_is_no_warning() -> None:
    wish = Wish(bounds=(bound("mount"),), add_missing=True)
    found = result(row("bpf"), row("mkdirat"), wish=wish)
    assert "WARNING" not in tightened_text(found, "p.json", "amd64")
    objects = tightened_fields(found, "amd64")
    (missing,) = [each for each in objects if each["event"] == "missing"]
    assert (missing["call"], missing["added"], missing["doubt"]) == ("bpf", True, "")
    assert objects[-1] == {
        "event": "tightened",
        "before": ALWAYS + 4,
        "after": ALWAYS + 3,
        "doubts": [],
    }


def test_json_names_every_call_that_was_let_through() -> None:
    objects = tightened_fields(result(row("mkdirat")), "amd64")
    changes = {each["name"]: each for each in objects if each["event"] == "change"}
    assert changes["mkdirat"]["changed"] is False
    assert changes["ptrace"]["becomes"] == "refused"
    assert len(changes) == ALWAYS + 5


def test_the_provenance_says_in_numbers_what_it_rests_on() -> None:
    assert sentence(result(row("mkdirat")), ["a"]) == (
        f"tightened by 1 campaign: {ALWAYS + 1} calls needed, 1 possible one kept"
    )
    assert sentence(result(wish=Wish()), ["a", "b"]) == (
        f"tightened by 2 campaigns: {ALWAYS} calls needed, 4 possible ones kept; no static bound "
        "held a call impossible"
    )
