"""Thread starts in binaries linked with a C library."""

from __future__ import annotations

from gofuzzsec.syscalls.threadstart import ThreadStarts

PARENT, CHILD = 1, 2


def starts() -> tuple[ThreadStarts[str], list[str]]:
    credited: list[str] = []
    return ThreadStarts(credited.append), credited


def test_a_thread_that_the_runtime_sets_up_was_started_by_it() -> None:
    threads, credited = starts()
    threads.from_library(PARENT, "mmap", "parent mmap")
    threads.from_library(PARENT, "clone3", "parent clone3")
    threads.born(PARENT, CHILD)
    threads.from_library(CHILD, "rseq", "child rseq")
    assert credited == []
    threads.from_go(CHILD, by_runtime=True)
    threads.from_library(PARENT, "rt_sigprocmask", "parent mask")  # the same run goes on
    assert sorted(credited) == ["child rseq", "parent clone3", "parent mask", "parent mmap"]


def test_also_when_the_clone_returns_late() -> None:
    threads, credited = starts()
    threads.from_library(PARENT, "clone3", "parent clone3")
    threads.from_library(CHILD, "rseq", "child rseq")
    threads.from_go(CHILD, by_runtime=True)
    threads.born(PARENT, CHILD)
    assert sorted(credited) == ["child rseq", "parent clone3"]


def test_a_thread_that_never_enters_go_was_not() -> None:
    threads, credited = starts()
    threads.from_library(PARENT, "clone3", "parent clone3")
    threads.born(PARENT, CHILD)
    threads.from_library(CHILD, "rseq", "child rseq")
    threads.gone(CHILD)
    threads.from_go(PARENT, by_runtime=True)
    assert credited == []


def test_other_calls_end_a_run() -> None:
    threads, credited = starts()
    threads.from_library(PARENT, "mmap", "C code's mmap")
    threads.from_library(PARENT, "mkdir", "C code's mkdir")
    threads.from_library(PARENT, "clone3", "parent clone3")
    threads.born(PARENT, CHILD)
    threads.from_library(CHILD, "rseq", "child rseq")
    threads.from_go(CHILD, by_runtime=True)
    assert sorted(credited) == ["child rseq", "parent clone3"]


def test_the_end_of_the_runtimes_thread_is_the_runtimes() -> None:
    threads, credited = starts()
    for tid in (CHILD, 3):
        threads.from_library(PARENT, "clone3", "clone")
        threads.born(PARENT, tid)
        threads.from_library(tid, "rseq", "start")
    threads.from_go(CHILD, by_runtime=True)
    credited.clear()
    for tid in (CHILD, 3):
        threads.from_library(tid, "madvise", f"madvise of {tid}")
        threads.from_library(tid, "exit", f"exit of {tid}")
    assert credited == [f"madvise of {CHILD}", f"exit of {CHILD}"]
