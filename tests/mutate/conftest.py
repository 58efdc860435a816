"""Workers whose failures say which values they had."""

from tests.goprobe.fixtures import probe, start_probe

__all__ = ["probe", "start_probe"]
