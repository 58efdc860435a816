"""What a profile lost on its way from one format to another, and what to beware of in the new."""

from __future__ import annotations

from collections.abc import Iterator

from gofuzzsec.report.text import clean
from gofuzzsec.seccomp.formats import Written
from gofuzzsec.seccomp.model import Profile
from gofuzzsec.seccomp.resolve import is_conditional


def loss_lines(profile: Profile, written: Written, form: str) -> Iterator[str]:
    """One line for everything that was read or could be written, and is not in the new file."""
    for loss in profile.left_out:
        yield f"lost in {form}: {clean(loss)}"
    for loss in written.losses:
        yield f"lost in {form}: {clean(loss)}"


def caution_lines(profile: Profile, form: str) -> Iterator[str]:
    """What a reader of the new file may take it for that it is not."""
    if form == "oci" and is_conditional(profile):
        yield (
            "archMap, includes and excludes are Docker's and Podman's: other runtimes (containerd, "
            "so most of Kubernetes) pass over them and apply every rule everywhere; for those "
            "write one file for each architecture (--arch)"
        )
