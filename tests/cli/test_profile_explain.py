"""`profile explain` on a real campaign of a real module."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from gofuzzsec.coordinator.reached import reached
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.coverage import pack
from gofuzzsec.store import Store
from tests.cli.tiny import SOCKET_LINE, Tiny, profile_without


def test_each_command_that_explain_prints_shows_the_call_again(tiny: Tiny) -> None:
    found = tiny.explain("socket", "symlinkat", "mkdirat")
    (seed,) = [s for s in found["socket"]["sights"] if s["source"] == "seeds"]
    assert [len(seed["again"]["commands"]), seed["first_input"]] == [1, seed["first_input"]]
    assert "--- PASS: FuzzDo/mine" in tiny.shell(seed["again"]["commands"][0])
    assert re.search(r"^socket +unix", tiny.shell(seed["again"]["watch"]), re.MULTILINE)
    (test,) = [
        sight
        for sight in found["symlinkat"]["sights"]
        if (sight["source"], sight["origin"]) == ("tests", "target")
    ]
    (command,) = test["again"]["commands"]
    assert "--- PASS: TestLink" in tiny.shell(command)
    (made,) = [
        sight
        for sight in found["mkdirat"]["sights"]
        if (sight["source"], sight["origin"]) == ("seeds", "target")
    ]
    export, run = made["again"]["commands"]
    assert "1 file written" in tiny.shell(export)
    assert f"--- PASS: FuzzDo/{made['first_input']}" in tiny.shell(run)


def test_explain_tells_the_way_and_marks_the_users_first_frame(tiny: Tiny) -> None:
    done = tiny.run("explain", "--campaign", str(tiny.campaign), "socket", "execve")
    assert done.exit_code == 0, done.output
    assert "socket: NEEDED" in done.stdout
    assert f"→ example.org/tiny.open {tiny.root}/tiny.go:{SOCKET_LINE}\n" in done.stdout
    assert "(unix) AF_UNIX SOCK_STREAM ok: 1 call" in done.stdout
    assert "= socket is needed: seeds showed that the program makes it.\n" in done.stdout
    assert "container runtime: starts the program" in done.stdout


def test_commands_name_go_by_its_path_where_the_shell_would_not_find_it(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = str(tiny.go / "go")
    monkeypatch.setattr("shutil.which", lambda name: None)
    args = ("explain", "--campaign", str(tiny.campaign), "socket")
    assert f"$ {go} -C " in tiny.run(*args, "--go", go).stdout
    assert "$ /no/such/go -C " in tiny.run(*args, "--go", "/no/such/go").stdout


def test_explain_says_of_an_unseen_call_how_near_the_inputs_came(tiny: Tiny) -> None:
    found = tiny.explain("mount", "kexec_load")
    mount, kexec = found["mount"], found["kexec_load"]
    assert mount["standing"] == "possible"
    steps = {step["function"]: step for step in mount["path"]}
    assert next(iter(steps)) == "example.org/tiny.FuzzDo"
    assert 0 < steps["example.org/tiny.Do"]["covered"] < steps["example.org/tiny.Do"]["counters"]
    assert steps["example.org/tiny.never"]["covered"] == 0
    assert mount["verdict"].endswith("no kept input ever ran example.org/tiny.never.")
    assert kexec["standing"] == "possible"
    assert "example.org/tiny.FuzzDo alone" in kexec["verdict"]


def test_explain_with_the_program_knows_what_is_impossible(tiny: Tiny, tmp_path: Path) -> None:
    profile = tmp_path / "p.json"
    profile.write_text(
        json.dumps(
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": ["kexec_load", "mount"], "action": "SCMP_ACT_ALLOW"}],
            }
        )
    )
    args = ("--binary", str(tiny.program), "--no-children", "--profile", str(profile))
    found = tiny.explain(*args, "kexec_load", "mkdirat", "swapon")
    assert list(found) == ["kexec_load", "mkdirat", "swapon"]
    assert found["kexec_load"]["standing"] == "impossible"
    assert "gofuzzsec profile tighten" in found["kexec_load"]["verdict"]
    assert found["mkdirat"]["access"] == "never"
    assert "will not do what it was seen to do" in found["mkdirat"]["verdict"]
    assert found["swapon"]["verdict"].endswith("nothing else needs it.")


def test_explain_without_a_call_explains_all_that_is_needed_or_allowed(
    tiny: Tiny, tmp_path: Path
) -> None:
    everything = tiny.explain()
    assert all(each["standing"] == "needed" for each in everything.values())
    assert {"socket", "mkdirat", "symlinkat", "execve", "futex"} <= everything.keys()
    profile = profile_without(tiny, tmp_path / "p.json")
    assert tiny.explain("--profile", str(profile)).keys() == everything.keys()


def test_unknown_calls_get_a_suggestion(tiny: Tiny) -> None:
    done = tiny.run("explain", "--campaign", str(tiny.campaign), "sokcet")
    assert done.exit_code == 2
    assert "did you mean socket" in done.stderr


def test_what_the_binaries_do_not_tell_is_a_problem_not_an_error(
    tiny: Tiny, tmp_path: Path
) -> None:
    packed = pack(np.array([8], dtype=np.uint32))
    with Store.create(tmp_path / "campaign") as store:
        here, gone = str(tiny.root), str(tmp_path / "gone")
        kept = store.add_target("example.org/tiny", "FuzzDo", here, here, "", external=False)
        for number, key in enumerate(("old", "new")):
            data = marshal([Value(GoType.STRING, str(number).encode())])
            store.add_input(
                kept.id, data=data, source="fuzz", why="coverage", parent=None, exec_ns=1,
                build_key=key, coverage=packed, found_at=1.0,
            )  # fmt: skip
        lost = store.add_target("example.org/tiny", "FuzzLost", here, here, "", external=False)
        away = store.add_target("example.org/away", "FuzzX", gone, gone, "", external=False)
        program = store.add_program("example.org/tiny/cmd/tiny")
        found = reached(store, [kept, lost, away, program])
        assert len(found.bounds) == 1
        assert found.cover == {}
        first, second, third = found.problems
        assert "no kept input was run in the binary as it is built now" in first
        assert "expected FuzzLost in" in second
        assert third.startswith("example.org/away.FuzzX: ")
    with Store.open_readonly(tiny.campaign) as store:
        (target,) = store.targets()
        found = reached(store, [target])
        assert (found.problems, found.bounds[0].roots) == ((), ("example.org/tiny.FuzzDo",))


def test_coverage_of_another_build_is_told(tiny: Tiny, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny.campaign, tmp_path / "copy")
    with Store.create(copy) as store:
        (target,) = store.targets()
        rows = list(store.inputs(target.id))
        store.update_coverage(rows[0].id, "another build", rows[0].coverage, 1)
        (problem,) = reached(store, [target]).problems
        assert f"1 of {len(rows)} kept inputs were run in another build only" in problem
