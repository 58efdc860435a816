"""Patches: an anchor that is there once is replaced, anything else is refused in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.errors import OverlayError
from gofuzzsec.toolchain.patch import Patch, apply_patches, refusal
from gofuzzsec.toolchain.patches import PATCHES
from gofuzzsec.toolchain.patches_syscall import SYSCALL_PATCHES


def patch(anchor: str, replacement: str = "NEW", name: str = "p") -> Patch:
    return Patch(name, "fmt/print.go", anchor, replacement)


def refused(text: str, *patches: Patch) -> str:
    with pytest.raises(OverlayError) as caught:
        apply_patches(text, patches)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_gofmt_may_align_otherwise() -> None:
    text = "func a(x int)  {}\nfunc bb(x int) {}\n"
    assert apply_patches(text, [patch("func a(x int) {}")]) == "NEW\nfunc bb(x int) {}\n"
    assert apply_patches("a\t \tb", [patch("a b")]) == "NEW"
    assert "no such text" in refused("ab", patch("a b"))
    assert "no such text" in refused("a\nb", patch("a b"))


def test_replacement_is_taken_as_it_is() -> None:
    assert apply_patches("x", [patch("x", r"\1\g<0> x")]) == r"\1\g<0> x"


def test_messages_name_file_anchor_and_patch() -> None:
    message = refused("var x", patch("func y() {\n\treturn", name="patch-7"))
    assert message == (
        "expected `func y() { return` once in fmt/print.go (patch patch-7), found no such text"
    )
    assert "found it 2 times" in refused("x x", patch("x"))
    assert "found it 1000 times" in refused("x" * 1000, patch("x"))
    long = refused("", patch("y" * 5000))
    assert len(long) < 200


def test_overlapping_patches_are_refused() -> None:
    message = refused("abc", patch("ab", name="one"), patch("bc", name="two"))
    assert "patch two" in message
    assert "another patch" in message
    assert "patch" in refused("ab", patch("ab"), patch("ab"))


def test_a_replacement_is_no_anchor() -> None:
    """What one patch brings in is neither counted nor patched by another."""
    assert apply_patches("a b", [patch("a", "b"), patch("b", "a")]) == "b a"


@given(
    st.lists(st.text("abc \n{}", max_size=20), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_every_anchor_is_replaced_and_the_rest_is_kept(between: list[str], random: object) -> None:
    anchors = [f"<{number}>" for number in range(len(between) - 1)]
    text = between[0] + "".join(a + b for a, b in zip(anchors, between[1:], strict=True))
    patches = [patch(anchor, f"[{anchor}]") for anchor in anchors]
    random.shuffle(patches)  # type: ignore[attr-defined]
    result = apply_patches(text, patches)
    assert result == between[0] + "".join(
        f"[{a}]{b}" for a, b in zip(anchors, between[1:], strict=True)
    )


def test_versions() -> None:
    old = Patch("p", "f", "a", "b", before=(1, 23))
    new = Patch("p", "f", "a", "b", since=(1, 23))
    assert [old.fits(v) for v in ((1, 21, 0), (1, 22, 12), (1, 23, 0), (2, 0, 0))] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [new.fits(v) for v in ((1, 22, 9), (1, 23, 0), (1, 28, 0), (2, 0, 0))] == [
        False, True, True, True,
    ]  # fmt: skip


def test_the_patches_there_are() -> None:
    names = [patch.name for patch in PATCHES]
    assert len(set(names)) == len(names)
    assert set(SYSCALL_PATCHES) < set(PATCHES)
    for each in PATCHES:
        assert each.anchor != each.replacement
        assert ".." not in each.file
        assert not each.file.startswith("/")


def test_refusals_are_one_line() -> None:
    assert "\n" not in str(refusal(patch("a"), "found\nmore\n\nlines"))
