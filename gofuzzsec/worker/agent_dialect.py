"""The language of the agent in a boosted worker.

Requests and results lie in shared memory as `worker.agent_wire` describes; the pipes carry only a
line each way. Between requests the coordinator owns the memory; while one is under way it may look
at the count and set the stop word.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path

from gofuzzsec.corpus.format import marshal, unmarshal
from gofuzzsec.corpus.values import GoType
from gofuzzsec.coverage import from_features
from gofuzzsec.errors import ProtocolError, UsageError
from gofuzzsec.worker import agent_wire as wire
from gofuzzsec.worker.agent_wire import Batch, Loop, Plan, Report
from gofuzzsec.worker.memory import anonymous_file
from gofuzzsec.worker.protocol import Outcome, Request, Run, Verdict

_HEADER = 4096
# Address space, not memory: only pages that are written take any.
_INPUT, _REQUEST, _RESULTS = 64 << 20, 192 << 20, 64 << 20
_WORD = struct.Struct("<Q")
_SIGHTS = wire.CALL_FEATURES + wire.CALL_FEATURES // 32  # indices of wire.Sights
_MOST_COUNTERS = 1 << 26  # of a binary; the largest there are have a few million


class AgentDialect:
    """One mapping shared with the agents of one worker after another. Owns its descriptor."""

    ping = b"?\n"

    def __init__(self, types: Sequence[GoType], folder: Path, *, watched: bool = False) -> None:
        """*types* are those of the target's arguments. *watched*: the agent is given a page that
        the kernel marks, and must have mapped it."""
        self._types = tuple(types)
        self._watched = watched
        self._counters = 0  # as the agent said when it started
        self.fd = anonymous_file(folder)
        size = _HEADER + _INPUT + _REQUEST + _RESULTS
        try:
            os.ftruncate(self.fd, size)
            self._map = mmap.mmap(self.fd, size)
        except OSError:
            os.close(self.fd)
            raise
        at = _HEADER
        for word, cap in (
            (wire.INPUT_AT, _INPUT),
            (wire.REQUEST_AT, _REQUEST),
            (wire.RESULTS_AT, _RESULTS),
        ):
            self._set(word, at)
            self._set(word + 1, cap)
            at += cap

    @property
    def snapshot_size(self) -> int:
        """Bytes of a known map: one a counter, padded to words, then the system calls' bits."""
        return (self._counters + 7) // 8 * 8 + wire.CALL_FEATURES // 8

    def forget(self) -> None:
        self._set(wire.REQUEST, 0)
        self._set(wire.MAGIC_AT, 0)

    def load(self, request: Request, data: bytes) -> bytes:
        match request:
            case Run():
                values = unmarshal(data)
                body = wire.encode_batch(Batch((wire.encode_input(values),)))
                kind = wire.REQUEST_BATCH
            case Batch():
                kind, body = wire.REQUEST_BATCH, wire.encode_batch(request)
            case Plan():
                kind, body = wire.REQUEST_PLAN, wire.encode_plan(request)
            case Loop():
                kind, body = wire.REQUEST_LOOP, wire.encode_plan(request.plan)
            case _:
                raise ProtocolError(f"expected a request for a boosted worker, found {request!r}")
        return self.load_raw(kind, body)

    def load_raw(self, kind: int, body: bytes) -> bytes:
        """Put a request's body into memory; the line that asks for it."""
        if len(body) > _REQUEST or (len(body) > _INPUT and kind == wire.REQUEST_BATCH):
            raise UsageError(
                f"expected inputs of at most {_INPUT} bytes for a worker, found {len(body)}: "
                "leave them out of the corpus"
            )
        self._map[_HEADER + _INPUT : _HEADER + _INPUT + len(body)] = body
        for word, value in (
            (wire.COUNT, 0),
            (wire.INPUT_LEN, 0),
            (wire.RESULTS_LEN, 0),
            (wire.STOP, 0),
            (wire.REQUEST, kind),
            (wire.REQUEST_LEN, len(body)),
        ):
            self._set(word, value)
        return b"!\n"

    def stop(self) -> None:
        """Ask the agent to end the plan under way after its next execution."""
        self._set(wire.STOP, 1)

    def count(self) -> int:
        return min(self._get(wire.COUNT), wire.MOST)

    def check_start(self, line: bytes) -> None:
        if line != b"ok\n" or self._get(wire.MAGIC_AT) != wire.MAGIC:
            raise ProtocolError(
                f"expected the agent of a boosted binary, found {line[:80]!r}: the binary was "
                "built without it or by another version; remove the build cache and try again"
            )
        if self._get(wire.CALLS) != wire.CALL_FEATURES:
            raise ProtocolError(
                f"expected {wire.CALL_FEATURES} system call features, found {self._get(wire.CALLS)}"
            )
        if self._watched and self._get(wire.WATCHED) != 1:
            raise ProtocolError(
                "expected the agent to map the page where the kernel marks system calls, found "
                "that it could not: does a sandbox forbid it? Use --capture in-process"
            )
        self._counters = self._get(wire.COUNTERS)
        if self._counters > _MOST_COUNTERS:
            raise ProtocolError(
                f"expected at most {_MOST_COUNTERS} coverage counters, found {self._counters}"
            )
        if self._get(wire.ARGS) != len(self._types):
            raise ProtocolError(
                f"expected a fuzz function of {len(self._types)} arguments, "
                f"found {self._get(wire.ARGS)}"
            )

    def outcome(self, request: Request, line: bytes) -> Outcome:
        if line != b"ok\n":
            raise ProtocolError(f"the agent refused the request: {line[:200]!r}")
        if isinstance(request, Loop):
            loops = wire.decode_loops(self._results())
            return self._outcome(Verdict.OK, report=Report(loops=loops))
        report = self._report()
        if not isinstance(request, Run):
            return self._outcome(Verdict.OK, report=report)
        if len(report.results) != 1:
            raise ProtocolError(f"expected one result from the agent, found {len(report.results)}")
        result = report.results[0]
        return self._outcome(
            Verdict.FAIL if result.failed else Verdict.OK,
            coverage=from_features(result.features, self.snapshot_size).tobytes(),
            message=result.text or ("test failed without a word" if result.failed else ""),
            duration_ns=result.exec_ns,
            report=report,
        )

    def death(self, request: Request | None, verdict: Verdict, message: str, ns: int) -> Outcome:
        length = min(self._get(wire.INPUT_LEN), _INPUT)
        data = b""
        if length:
            raw = bytes(self._map[_HEADER : _HEADER + length])
            # It may have been killed while it wrote this: then no input is known.
            with contextlib.suppress(ProtocolError):
                data = marshal(wire.decode_input(raw, self._types))
        try:
            report = self._report()
        except ProtocolError:
            report = Report()  # the dying process wrote over it; what it found is found again
        return self._outcome(verdict, message=message, duration_ns=ns, data=data, report=report)

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)

    def _outcome(
        self,
        verdict: Verdict,
        *,
        coverage: bytes | None = None,
        message: str = "",
        duration_ns: int = 0,
        data: bytes = b"",
        report: Report | None = None,
    ) -> Outcome:
        return Outcome(
            verdict=verdict,
            count=self.count(),
            coverage=coverage,
            message=message,
            duration_ns=duration_ns,
            data=data,
            rand_state=0,
            rand_inc=0,
            report=report,
        )

    def _results(self) -> memoryview:
        length = min(self._get(wire.RESULTS_LEN), _RESULTS)
        start = _HEADER + _INPUT + _REQUEST
        return memoryview(self._map)[start : start + length]

    def _report(self) -> Report:
        report = wire.decode_records(self._results())
        self._check(report)
        report.end = self._get(wire.END)
        report.runs = (
            min(self._get(wire.HAVOC_RUNS), wire.MOST),
            min(self._get(wire.SOLVE_RUNS), wire.MOST),
            min(self._get(wire.TRIM_RUNS), wire.MOST),
            min(self._get(wire.CONFIRM_RUNS), wire.MOST),
        )
        return report

    def _check(self, report: Report) -> None:
        """Raise ProtocolError for what this target cannot have said: it may write to the memory."""
        most = 8 * self.snapshot_size
        lists = [result.features for result in report.results]
        for find in report.finds:
            lists += [find.features, find.fresh]
        for found in lists:
            if len(found) and int(found[-1]) >= most:
                raise ProtocolError(f"expected features below {most}, found {int(found[-1])}")
        for sights in report.sights:
            for index, count in sights.counts:
                if index >= _SIGHTS or count > sights.executions:
                    raise ProtocolError(
                        f"expected at most {sights.executions} sights of an index below "
                        f"{_SIGHTS}, found {count} of {index}"
                    )
        for raw in (*(f.wire for f in report.finds), *(f.wire for f in report.failures)):
            wire.decode_input(raw, self._types)

    def _get(self, word: int) -> int:
        return int(_WORD.unpack_from(self._map, 8 * word)[0])

    def _set(self, word: int, value: int) -> None:
        _WORD.pack_into(self._map, 8 * word, value)
