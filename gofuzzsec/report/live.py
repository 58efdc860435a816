"""A campaign on a terminal: one table that stays in place, and what was found scrolling above it.

Nothing runs between events: rich's refresh thread is off, because a status comes often enough to
keep the picture fresh, and the coordinator forks workers, which a thread more can only disturb.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gofuzzsec.coordinator.events import CrashFound, Event, Finished, Started, Stats, Status
from gofuzzsec.report.plain import event_text
from gofuzzsec.report.status import COLUMNS, cells
from gofuzzsec.report.text import clean, number, plural, span
from gofuzzsec.report.toward import toward_part

_SMALLEST_NAME = 12
_GAP = 2  # columns between two columns
_LINES_AROUND = 4
"""Lines of the screen that are not targets: head, footer, what was hidden, and the cursor's."""


class LiveView:
    """Keeps the latest Stats of every target and redraws at each event.

    Owns the terminal from `__enter__` to `__exit__`, which also runs on errors and then leaves the
    cursor shown and the lines already printed in place.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stats: dict[str, Stats] = {}  # in order of their last event, oldest first
        self._workers = 0
        self._capture = "off"
        self._live = Live(
            console=console, auto_refresh=False, transient=True, get_renderable=self._render
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def emit(self, event: Event) -> None:
        """Redraw the table, and print above it what should stay on the screen."""
        match event:
            case Status():
                self._stats.pop(event.stats.target, None)
                self._stats[event.stats.target] = event.stats
            case Finished():
                self._live.stop()
                self._print(event_text(event), "")
                return
            case Started():
                self._workers, self._capture = event.workers, event.capture
                self._print(event_text(event), "dim")
            case CrashFound():
                self._print(event_text(event), "bold red")
            case _:
                self._print(event_text(event), "")
        self._live.refresh()

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)

    def _render(self) -> Group:
        room = max(1, self._console.height - _LINES_AROUND)
        shown = list(self._stats.values())[-room:]
        hidden = len(self._stats) - len(shown)
        parts: list[Table | Text] = [_table(shown, self._console.width)] if shown else []
        if hidden:
            parts.append(Text(f"and {plural(hidden, 'target')} not shown", style="dim"))
        parts.append(self._footer())
        return Group(*parts)

    def _footer(self) -> Text:
        latest = list(self._stats.values())
        if not latest:
            return Text("starting; Ctrl-C stops", style="dim")
        waiting = sum(stats.unrecorded for stats in latest)
        parts = [
            span(max(stats.elapsed for stats in latest)),
            plural(self._workers, "worker"),
            f"{number(sum(stats.session_executions for stats in latest))} execs this run",
            *(
                toward_part(stats.goals, stats.nearest)
                for stats in latest[-1:]
                if stats.goals is not None
            ),
            f"capture {clean(self._capture)}" + (f" ({number(waiting)} to go)" if waiting else ""),
            "Ctrl-C stops",
        ]
        return Text(" · ".join(parts), style="dim", no_wrap=True, overflow="ellipsis")


def _table(rows: list[Stats], width: int) -> Table:
    """One line a target, sorted by name so that lines keep their places."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for column in COLUMNS:
        left = column == "target"
        grid.add_column(column, justify="left" if left else "right", no_wrap=True)
    lines = [cells(stats) for stats in sorted(rows, key=lambda stats: stats.target)]
    columns = list(zip(COLUMNS, *lines, strict=True))
    taken = sum(_GAP + max(map(len, column)) for column in columns[1:])
    for name, *numbers in lines:
        texts = [Text(_tail(clean(name), max(_SMALLEST_NAME, width - taken)))]
        texts += map(Text, numbers)
        crashes = texts[COLUMNS.index("crashes")]
        if crashes.plain != "0":
            crashes.stylize("bold red")
        grid.add_row(*texts)
    return grid


def _tail(text: str, width: int) -> str:
    """The end of *text*, which holds the fuzz test's name, in at most *width* columns."""
    while cell_len(text) > width:
        text = "…" + text[2:] if text.startswith("…") else "…" + text[1:]
    return set_cell_size(text, min(width, cell_len(text)))
