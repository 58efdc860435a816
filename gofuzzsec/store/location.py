"""Where a campaign directory is when the user does not say."""

from __future__ import annotations

from pathlib import Path

DIRECTORY_NAME = ".gofuzzsec"


def campaign_dir(explicit: Path | None, cwd: Path) -> Path:
    """The campaign directory as an absolute path; it need not exist and is not made.

    *explicit* (``--campaign``) wins, taken relative to *cwd*. Otherwise it is ``.gofuzzsec`` beside
    the nearest ``go.mod`` at or above *cwd*, so that every folder of a module shares one campaign;
    where there is no module it is ``.gofuzzsec`` in *cwd* itself.
    """
    start = cwd.absolute()
    if explicit is not None:
        return start / explicit
    for folder in (start, *start.parents):
        if (folder / "go.mod").is_file():
            return folder / DIRECTORY_NAME
    return start / DIRECTORY_NAME
