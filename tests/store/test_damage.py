"""Files that are no intact campaign database: a clear refusal, and the file left as it is."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import StoreError
from gofuzzsec.store import Store, schema
from tests.store.children import Report, child
from tests.store.making import add_crash, add_input, add_target, calls, corpus_file

Opening = Callable[[Path], Store]

_OPENINGS = pytest.mark.parametrize("opening", [Store.create, Store.open_readonly])


_TEXTS = [f"{number:04}" * 200 for number in range(60)]
_KEPT = {corpus_file(text) for text in _TEXTS}


def _fill(store: Store) -> None:
    target = add_target(store)
    store.set_types(target.id, ("string",))
    store.add_build(target.id, "b0", "go1.27.3", 100)
    for number, text in enumerate(_TEXTS):
        row = add_input(store, target.id, text)
        store.add_recording(target.id, row.id, calls("read", f"call{number % 7}"), "fuzz")
        store.add_stats(target.id, 1.0, number, 1, 1, 1, 1, 1.0)
    add_crash(store, target.id)


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed database that holds a little of everything."""
    campaign = tmp_path_factory.mktemp("intact")
    with Store.create(campaign) as store:
        _fill(store)
    return campaign / "campaign.db"


def _refused(opening: Opening, campaign: Path, match: str) -> None:
    """Opening fails with words that match, and leaves the database and its log as they were."""
    before = _files(campaign)
    with pytest.raises(StoreError, match=match) as caught:
        opening(campaign)
    assert str(campaign / "campaign.db") in str(caught.value)
    assert _files(campaign) == before


def _files(campaign: Path) -> dict[str, bytes]:
    """Content of what holds data (not the lock, nor the log's index)."""
    paths = [campaign / name for name in ("campaign.db", "campaign.db-wal", "campaign.db-journal")]
    found = {path.name: path.read_bytes() for path in paths if path.is_file()}
    return {name: data for name, data in found.items() if data or name == "campaign.db"}


@_OPENINGS
@pytest.mark.parametrize("size", [0, 1, 15, 99, 100, 512, 4095, 4096, 5000, 40_000])
def test_cut_short(opening: Opening, campaign: Path, intact: Path, size: int) -> None:
    campaign.mkdir()
    (campaign / "campaign.db").write_bytes(intact.read_bytes()[:size])
    if opening is Store.open_readonly and size >= 4096:
        _damage_shows_by_the_end(campaign)
    else:
        _refused(opening, campaign, "damaged")


def _damage_shows_by_the_end(campaign: Path) -> None:
    """A reader does not check the whole file first; it must not take damage for data, though."""
    before = _files(campaign)
    with pytest.raises(StoreError, match="damaged"), Store.open_readonly(campaign) as store:
        _read_all(store)
    assert _files(campaign) == before


@_OPENINGS
@pytest.mark.parametrize("content", [b"\xa5" * 10_000, b"go test fuzz v1\n" * 9, b"\0" * 8192])
def test_no_database(opening: Opening, campaign: Path, content: bytes) -> None:
    campaign.mkdir()
    (campaign / "campaign.db").write_bytes(content)
    _refused(opening, campaign, "damaged: file is not a database")


@_OPENINGS
def test_directory_in_its_place(opening: Opening, campaign: Path) -> None:
    (campaign / "campaign.db").mkdir(parents=True)
    _refused(opening, campaign, "not a file")


@_OPENINGS
def test_pipe_in_its_place(opening: Opening, campaign: Path) -> None:
    campaign.mkdir()
    os.mkfifo(campaign / "campaign.db")
    _refused(opening, campaign, "not a file")


@_OPENINGS
def test_dangling_link(opening: Opening, campaign: Path) -> None:
    campaign.mkdir()
    (campaign / "campaign.db").symlink_to("elsewhere")
    _refused(opening, campaign, "No such file")
    assert not (campaign / "elsewhere").exists()


@_OPENINGS
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_foreign_database(opening: Opening, campaign: Path, mode: str) -> None:
    campaign.mkdir()
    connection = sqlite3.connect(campaign / "campaign.db")
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("CREATE TABLE input (id INTEGER PRIMARY KEY, mine TEXT)")
    connection.execute("INSERT INTO input (mine) VALUES ('precious')")
    connection.commit()
    connection.close()
    _refused(opening, campaign, "another program's SQLite database")
    with sqlite3.connect(campaign / "campaign.db") as connection:
        assert connection.execute("SELECT mine FROM input").fetchall() == [("precious",)]


@_OPENINGS
def test_foreign_database_with_a_log(opening: Opening, campaign: Path) -> None:
    """Another program's writer was killed: its log is its own to replay."""
    campaign.mkdir()

    def write(report: Report) -> None:
        connection = sqlite3.connect(campaign / "campaign.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (7)")
        report("done")
        os.read(os.pipe()[0], 1)  # until killed

    with child(write) as writer:
        next(writer.reports())
    assert (campaign / "campaign.db-wal").stat().st_size > 0
    _refused(opening, campaign, "another program's SQLite database")


@_OPENINGS
def test_newer_version(opening: Opening, campaign: Path) -> None:
    Store.create(campaign).close()
    newer = schema.SCHEMA_VERSION + 1
    _alter(campaign, f"PRAGMA user_version = {newer}")
    _refused(opening, campaign, f"schema version {newer} and this gofuzzsec knows up to 3")


@_OPENINGS
@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER t AFTER INSERT ON input BEGIN DELETE FROM crash; END",
        "CREATE VIEW v AS SELECT * FROM input",
        "DROP INDEX input_by_parent",
        "ALTER TABLE stat ADD COLUMN more TEXT",
        "DROP TABLE stat",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
    ],
)
def test_changed_tables(opening: Opening, campaign: Path, change: str) -> None:
    Store.create(campaign).close()
    _alter(campaign, change)
    _refused(opening, campaign, "its tables are not those of schema version (3|-1)")


def test_index_that_lies(campaign: Path) -> None:
    """Rows that an index does not know of: seen by the check before writing."""
    with Store.create(campaign) as store:
        _fill(store)
    connection = sqlite3.connect(campaign / "campaign.db")
    connection.execute("PRAGMA journal_mode = DELETE")
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'stat_by_target'"
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with (campaign / "campaign.db").open("r+b") as handle:
        handle.seek((root - 1) * size)
        handle.write(b"\x0a\0\0\0\0\0\0\0" + b"\0" * (size - 8))
    _refused(Store.create, campaign, "damaged")


def test_input_that_is_not_its_hash(campaign: Path) -> None:
    with Store.create(campaign) as store:
        _fill(store)
    _alter(campaign, "UPDATE input SET data = x'00' WHERE id = 3")
    with Store.open_readonly(campaign) as reader:
        (target,) = reader.targets()
        with pytest.raises(StoreError, match="does not have the bytes of its hash"):
            list(reader.inputs(target.id))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE target SET types = '{}'",
        "UPDATE target SET types = '[1]'",
        "UPDATE target SET types = CAST(replace(hex(zeroblob(9000)), '0', '[') AS TEXT)",
        "UPDATE target SET name = CAST(x'46ff' AS TEXT)",
        "UPDATE syscall SET stack_id = 1; INSERT OR REPLACE INTO stack VALUES (1, 'null')",
        "INSERT OR REPLACE INTO stack VALUES (1, ''); UPDATE syscall_use SET stack_id = 1",
        "PRAGMA ignore_check_constraints = 1; UPDATE syscall SET origin = 'martian'",
        "PRAGMA ignore_check_constraints = 1; UPDATE syscall SET outcome = 'lost'",
    ],
)
def test_forged_values(campaign: Path, change: str) -> None:
    with Store.create(campaign) as store:
        _fill(store)
    _alter(campaign, change)
    with Store.open_readonly(campaign) as reader, pytest.raises(StoreError, match="damaged"):
        _read_all(reader)


def test_log_without_its_database(campaign: Path) -> None:
    campaign.mkdir()
    log = campaign / "campaign.db-wal"
    log.write_bytes(b"precious")
    with pytest.raises(StoreError, match=r"campaign\.db-wal is there"):
        Store.create(campaign)
    assert log.read_bytes() == b"precious"
    assert not (campaign / "campaign.db").exists()


def test_leftover_of_a_creation_that_was_killed(campaign: Path) -> None:
    campaign.mkdir()
    (campaign / "campaign.db.new").write_bytes(b"half")
    (campaign / "campaign.db.new-journal").write_bytes(b"half")
    with Store.create(campaign) as store:
        add_target(store)
    assert not list(campaign.glob("*.new*"))


_FLIPS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=30
)


@settings(max_examples=150)
@given(flips=_FLIPS, everywhere=st.booleans())
def test_damaged_anywhere(intact: Path, flips: list[tuple[float, int]], everywhere: bool) -> None:
    """Whatever bytes are wrong: StoreError and nothing else, or only inputs that were there."""
    data = bytearray(intact.read_bytes())
    for place, value in flips:
        data[int(place * (len(data) if everywhere else 4096))] = value
    with tempfile.TemporaryDirectory() as folder:
        campaign = Path(folder)
        database = campaign / "campaign.db"
        database.write_bytes(data)
        with suppress(StoreError), Store.open_readonly(campaign) as reader:
            assert _read_all(reader) <= _KEPT
        assert database.read_bytes() == data
        try:
            store = Store.create(campaign)
        except StoreError:
            assert database.read_bytes() == data
            return
        with store, suppress(StoreError):
            assert _read_all(store) <= _KEPT
            _fill(store)


def _read_all(store: Store) -> set[bytes]:
    """Read every table; gives the inputs' bytes."""
    seen = set()
    for target in store.targets():
        for row in store.inputs(target.id):
            seen.add(row.data)
            store.input_syscalls(row.id)
        store.builds(target.id)
        store.series(target.id)
        for recording in store.recordings(target.id):
            store.recording_syscalls(recording.id)
        store.captures(target.id)
        store.architectures(target.id)
        store.syscalls(target.id)
    store.crashes()
    return seen


def _alter(campaign: Path, script: str) -> None:
    connection = sqlite3.connect(campaign / "campaign.db")
    connection.executescript(script)
    connection.commit()
    connection.close()
