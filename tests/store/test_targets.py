"""Targets and builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from gofuzzsec.errors import StoreError, UsageError
from gofuzzsec.store import Store
from tests.store.making import add_input, add_target


def test_target_is_kept_once(store: Store, campaign: Path) -> None:
    first = store.add_target("example.org/m", "FuzzA", "/src/m", "/src/m", "", False)
    store.set_types(first.id, ("[]byte", "int8"))
    add_input(store, first.id, "x")

    again = store.add_target("example.org/m", "FuzzA", "/moved", "", "/bin/m.test", True)

    assert again.id == first.id
    assert (again.package_dir, again.module_dir) == ("/moved", "")
    assert (again.binary, again.external) == ("/bin/m.test", True)
    assert again.types == ("[]byte", "int8")
    assert store.targets() == [again]
    assert store.input_count(again.id) == 1
    with Store.open_readonly(campaign) as reader:
        assert reader.targets() == [again]


def test_paths_are_any_bytes(store: Store) -> None:
    odd = b"/src/\xff\xfe module".decode("utf-8", "surrogateescape")
    assert add_target(store).package_dir == "/src/m"
    row = store.add_target("example.org/odd", "FuzzA", odd, odd, odd, False)
    assert (row.package_dir, row.module_dir, row.binary) == (odd, odd, odd)


def test_types_of_an_unknown_target(store: Store) -> None:
    with pytest.raises(StoreError, match="no target has the id 77"):
        store.set_types(77, ("int",))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("encoding/json.FuzzUnmarshal", "encoding/json.FuzzUnmarshal"),
        ("json.FuzzUnmarshal", "encoding/json.FuzzUnmarshal"),
        ("FuzzUnmarshal", "encoding/json.FuzzUnmarshal"),
        ("Unmarshal", "encoding/json.FuzzUnmarshal"),
        ("Reader", "archive/zip.FuzzReader"),
        ("zip.FuzzReader", "archive/zip.FuzzReader"),
        ("FuzzReader", "archive/zip.FuzzReader"),
        ("csv.FuzzMyReader", "encoding/csv.FuzzMyReader"),
    ],
)
def test_target_by_name(store: Store, spec: str, expected: str) -> None:
    for import_path, name in (
        ("encoding/json", "FuzzUnmarshal"),
        ("archive/zip", "FuzzReader"),
        ("encoding/csv", "FuzzMyFuzz"),
        ("encoding/csv", "FuzzMyReader"),
        ("encoding/xjson", "FuzzDecode"),
    ):
        add_target(store, name, import_path)
    if spec == "Reader":  # both ...FuzzReader and ...FuzzMyReader end so
        with pytest.raises(UsageError, match=r"zip\.FuzzReader, encoding/csv\.FuzzMyReader"):
            store.target(spec)
        return
    row = store.target(spec)
    assert f"{row.import_path}.{row.name}" == expected


def test_target_by_name_in_two_packages(store: Store) -> None:
    add_target(store, "FuzzX", "example.org/a")
    add_target(store, "FuzzX", "example.org/b")
    with pytest.raises(UsageError, match=r"more than one.*example\.org/a\.FuzzX"):
        store.target("FuzzX")
    assert store.target("b.FuzzX").import_path == "example.org/b"


def test_target_by_unknown_name(store: Store) -> None:
    with pytest.raises(UsageError, match="it has none yet"):
        store.target("FuzzX")
    add_target(store)
    for spec in ("FuzzX", ""):
        with pytest.raises(UsageError, match=r"choose one of: example\.org/m\.FuzzA"):
            store.target(spec)


def test_builds(store: Store) -> None:
    target = add_target(store)
    store.add_build(target.id, "k1", "go1.21.0", 10)
    store.add_build(target.id, "k2", "go1.27.3", 20)
    store.add_build(target.id, "k1", "go1.21.0", 30)
    builds = store.builds(target.id)
    assert [(build.key, build.go_version, build.counters) for build in builds] == [
        ("k2", "go1.27.3", 20),
        ("k1", "go1.21.0", 30),
    ]
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.add_build(99, "k", "go1.27.3", 1)


@pytest.mark.parametrize(
    ("import_path", "package", "module", "expected"),
    [
        ("example.org/m", "/src/m", "/src/m", "example.org/m"),
        ("example.org/m/a/b", "/src/m/a/b", "/src/m", "example.org/m"),
        ("encoding/json", "/go/src/encoding/json", "/go/src", "encoding/json"),
        ("example.org/m/a", "", "", "example.org/m/a"),
    ],
)
def test_the_path_of_its_module(
    store: Store, import_path: str, package: str, module: str, expected: str
) -> None:
    row = store.add_target(import_path, "FuzzA", package, module, "", False)
    assert row.module_path == expected
