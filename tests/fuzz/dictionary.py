"""Dictionaries in the format of AFL and libFuzzer."""

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.corpus.dictionary import format_dictionary, parse_dictionary, read_dictionary
    from gofuzzsec.corpus.dictionary import shipped_dictionaries as shipped

SEEDS = (
    b'# comment\nmagic="\\x89PNG"\nchunk@2="IHDR"\n"no name"\n',
    b'\xef\xbb\xbf  kw @1 = "a\\\\b\\"c"  \r\n"in "side" quotes"\n',
    *(path.read_bytes()[:2000] for path in shipped().values()),
)


def read(data: bytes) -> None:
    tokens = parse_dictionary(data, "fuzzed")
    assert parse_dictionary(format_dictionary(tokens), "again") == tokens


if __name__ == "__main__":
    assert all(map(read_dictionary, shipped().values()))
    fuzz(read, SEEDS, words=[b"\\x", b'\\"', b"\\\\", b'="', b"@1="])
