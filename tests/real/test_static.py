"""The static bound of real test binaries contains every call that their tests make.

What programs do that the tests start is left out: theirs is another bound. `make test-real` runs
this; it needs strace, the module proxy for what is not cached, and a few minutes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gofuzzsec.syscalls.bound import static_bound
from tests.binary.static.truth import observed
from tests.real.conftest import Built
from tests.requirements import require_strace

pytestmark = pytest.mark.real

NETLINK = "-test.run=^Test(Link|Addr|Route|Neigh|Rule|Class|Filter|Qdisc|Handle|Socket)"
"""The rest of netlink's tests wait for kernel modules or for minutes."""


@pytest.mark.parametrize(
    ("module", "package", "arguments", "least"),
    [
        ("std", "net/http", ["-test.short"], 45),
        ("std", "os/exec", ["-test.short"], 45),
        ("std", "archive/tar", [], 30),
        ("github.com/vishvananda/netlink@v1.3.1", ".", [NETLINK], 40),
        ("go.etcd.io/bbolt@v1.4.3", ".", ["-test.short", "-test.run=^TestOpen"], 30),
        ("golang.org/x/sys@v0.38.0", "unix", [], 80),
        ("github.com/moby/sys/mountinfo@v0.7.2", ".", [], 30),
    ],
)
def test_the_bound_contains_what_tests_do(
    built: Built, tmp_path: Path, module: str, package: str, arguments: list[str], least: int
) -> None:
    require_strace()
    binary, folder = built(module, package if module == "std" else f"./{package}")
    bound = static_bound(binary)

    seen = observed(binary, arguments, folder, tmp_path / "log", timeout=280)

    print(f"{module} {package}: {len(seen)} calls seen, {len(bound.calls)} possible")
    assert len(seen) >= least, sorted(seen)
    assert not bound.is_open, bound.unknown
    assert seen - bound.names == set()
