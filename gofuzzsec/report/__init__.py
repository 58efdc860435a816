"""What people and programs get to read: live status, plain lines, JSON lines, tables, summaries.

Nothing here decides anything: views take the events of a campaign (`gofuzzsec.coordinator.events`)
or rows of the store and turn them into text. Crash summaries, panic messages and names come from
the program under test and are hostile: they pass through `text.clean` or `text.clean_block` before
they reach a terminal, and rich never sees them as markup.
"""

from __future__ import annotations

from gofuzzsec.report.jsonl import JsonView
from gofuzzsec.report.live import LiveView
from gofuzzsec.report.plain import PlainView
from gofuzzsec.report.view import View

__all__ = ["JsonView", "LiveView", "PlainView", "View"]
