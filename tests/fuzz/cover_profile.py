"""Go's cover profiles, as `go test -coverprofile` and `go tool covdata textfmt` write them."""

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.coverage.profile import added_up, by_package, parse_profile, total

SEEDS = (
    b"mode: set\nexample.org/m/a.go:3.14,5.2 1 1\nexample.org/m/a.go:7.20,9.3 2 0\n",
    b"mode: atomic\na.go:1.1,1.2 1 9223372036854775807\nmode: count\na.go:1.1,1.2 1 1\n",
)


def read(data: bytes) -> None:
    blocks = parse_profile(data.decode("utf-8", "replace"))
    assert added_up(blocks) == blocks
    whole = total(blocks)
    assert 0 <= whole.covered <= whole.statements
    assert 0 <= whole.percent <= 100
    assert sum(part.statements for part in by_package(blocks).values()) == whole.statements


if __name__ == "__main__":
    fuzz(read, SEEDS, words=[b"mode: set\n", b"mode: atomic\n", b".go:"])
