"""JSON and YAML as trees that know their places: what is read, what is refused and where."""

from __future__ import annotations

import json
import sys
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.formats import guess_form, yaml_text
from gofuzzsec.seccomp.formats.json_text import parse_json
from gofuzzsec.seccomp.formats.source import MAX_NODES, Node
from gofuzzsec.seccomp.formats.yaml_text import parse_yaml, quoted

A_SECOND = 1 if sys.gettrace() is None else 5
"""Of processor time; measuring coverage takes several times as much."""
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 64), 1 << 64) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


def plain(node: Node) -> object:
    """What a node is without its places."""
    match node.value:
        case dict():
            return {key: plain(value) for key, (_, value) in node.value.items()}
        case tuple():
            return [plain(item) for item in node.value]
        case _:
            return node.value


def size(node: Node) -> int:
    match node.value:
        case dict():
            return 1 + sum(size(value) for _, value in node.value.values())
        case tuple():
            return 1 + sum(size(item) for item in node.value)
        case _:
            return 1


@given(_VALUES, st.sampled_from([None, 1]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_json_is_read_as_python_reads_it(value: object, indent: int | None, ascii: bool) -> None:
    node = parse_json(json.dumps(value, indent=indent, ensure_ascii=ascii), "x")
    assert plain(node) == value
    assert node.count == size(node)


@given(st.text(max_size=12) | st.text('{}[]",:\\u0d1e-. \n', max_size=20))
@settings(deadline=None, max_examples=60)
def test_nothing_but_json_is_read(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ProfileError, match=r"^x:\d+:\d+: expected "):
            parse_json(text, "x")
    else:
        try:
            assert plain(parse_json(text, "x")) == expected
        except ProfileError as error:  # Python takes more: equal keys, NaN, half surrogates
            assert "found" in str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "a": 2}', "x:2:2: expected each field once, found 'a' again (first in line 1"),
        ("[1, 2,]", "x:1:7: expected another item after the comma, found ']'"),
        ("[1 2]", "x:1:4: expected a comma or ']', found '2'"),
        ('{"a" 1}', "x:1:6: expected a colon, found '1'"),
        ("{a: 1}", "x:1:2: expected a field's name in quotes, found 'a'"),
        ("[1]\n]", "x:2:1: expected the end of the document, found ']'"),
        ("[NaN]", "x:1:2: expected a value, found 'NaN'"),
        ("[01]", "x:1:2: expected a JSON value"),
        ("[" + "1" * 41 + "]", "x:1:2: expected a number of at most 40 digits"),
        ('["\\ud800"]', "x:1:2: expected whole characters, found half of a surrogate pair"),
        ('["\\q"]', "x:1:2: expected a string with JSON's escapes"),
        ("[", "x:1:2: expected a value, found the end of the document"),
        ("", "x:1:1: expected a value, found the end of the document"),
        ("[" * 33, "x:1:33: expected at most 32 arrays and objects inside each other"),
    ],
)
def test_json_errors_name_the_place(text: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_json(text, "x")
    assert str(caught.value).startswith(message)


@given(_VALUES)
@settings(deadline=None, max_examples=40)
def test_yaml_is_read_as_pyyaml_reads_it(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=False)
    node = parse_yaml(text, "x")
    assert plain(node) == yaml.safe_load(text)
    assert node.count == size(node)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@settings(deadline=None, max_examples=100)
def test_quoted_text_stays_text(text: str) -> None:
    assert quoted(text).isascii()
    assert plain(parse_yaml(f"- {quoted(text)}", "x")) == [text]
    assert yaml.safe_load(f"- {quoted(text)}") == [text]


@pytest.mark.parametrize("word", ["no", "null", "~", "1", "0x1f", "2026-11-22", "a: b", "", "-"])
def test_words_that_yaml_would_take_for_something_else_are_quoted(word: str) -> None:
    assert quoted(word) == f'"{word}"'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("017", 15),
        ("0x1F", 31),
        ("1_000", 1000),
        ("-0b11", -3),
        ("+7", 7),
        ("off", False),
        ("1.5", 1.5),
        (".inf", ".inf"),
        ("2026-11-22", "2026-11-22"),
        ("|\n  a\n  b", "a\nb"),
    ],
)
def test_scalars_are_those_of_yaml_1_1(text: str, value: object) -> None:
    assert parse_yaml(text, "x").value == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "x:2:1: expected each field once, found 'a' again (first in line 1"),
        ("a: !!python/object:os.system x", "x:1:4: expected no tags"),
        ("a: ! 12", "x:1:4: expected no tags, found '!'"),
        ("a: !x [1]", "x:1:4: expected no tags, found '!x'"),
        ("<<: {a: 1}", "x:1:1: expected a field's name, found '<<'"),
        ("1: a", "x:1:1: expected a field's name, found 1"),
        ("a\n---\nb", "x:2:1: expected one document, found another"),
        ("", "x:1:1: expected a document, found none"),
        ("a: *b", "x:1:4: expected an anchor before its alias, found *b"),
        ("a: &b [*b]", "x:1:8: expected an anchor before its alias, found *b"),
        ("1:30", "x:1:1: expected a number in digits"),
        ("a: [", "x:2:1: expected YAML, found a parser that"),
        ("- a\n- \x07", "x:2:3: expected YAML, found a character that it cannot hold"),
        ("[" * 33, "x:1:33: expected at most 32 lists and mappings inside each other"),
    ],
)
@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_yaml_errors_name_the_place(
    text: str, message: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(yaml, loader):
        pytest.skip("this PyYAML comes without libyaml")
    monkeypatch.setattr(yaml_text, "_LOADER", getattr(yaml, loader))
    with pytest.raises(ProfileError) as caught:
        parse_yaml(text, "x")
    found = str(caught.value)
    assert found.startswith(message) or ("found a parser" in message and "found a parser" in found)


def test_aliases_are_followed() -> None:
    node = parse_yaml("a: &b [1, 2]\nc: *b", "x")
    assert plain(node) == {"a": [1, 2], "c": [1, 2]}
    assert node.count == 7


def test_a_bomb_of_aliases_ends_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    start = time.process_time()
    with pytest.raises(ProfileError, match=f"expected at most {MAX_NODES} values"):
        parse_yaml("\n".join(lines), "x")
    assert time.process_time() - start < A_SECOND


@pytest.mark.parametrize(
    "text",
    [
        "[" + "0," * 500_000 + "0]",
        '"' + "a" * 1_000_000,
        '"' + "\\\\" * 500_000,
        '"' + '\\"' * 500_000,
        " " * 1_000_000,
        "1" * 1_000_000,
        "{" * 1_000_000,
        "".join(f'{{"{i}":' for i in range(99_000)),
    ],
)
def test_hostile_json_ends_within_a_second(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ProfileError):
        parse_json(text, "x")
    assert time.process_time() - start < A_SECOND


@pytest.mark.parametrize(
    "text", ["\n" * 1_000_000, " " * 1_000_000, "{" * 1_000_000, "\nkind " * 150_000]
)
def test_guessing_the_form_takes_no_time(text: str) -> None:
    start = time.process_time()
    assert guess_form(text) == "oci"
    assert time.process_time() - start < A_SECOND


@pytest.mark.parametrize(
    "text",
    ["- a\n" * 250_000, "? " * 500_000, "- " * 500_000, "{" * 1_000_000, "&a " * 300_000],
)
def test_hostile_yaml_ends_within_a_second(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ProfileError):
        parse_yaml(text, "x")
    assert time.process_time() - start < A_SECOND
