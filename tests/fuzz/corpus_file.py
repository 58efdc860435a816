"""Go's corpus files: whatever is read, written and read again is the same."""

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.corpus.format import marshal, unmarshal
    from gofuzzsec.corpus.values import GoType

SEEDS = (
    b'go test fuzz v1\n[]byte("a\\x00\\u00e9")\nstring(`raw`)\nbool(true)\n',
    b"go test fuzz v1\nbyte('\\xff')\nrune('\\u65e5')\nint32(-5)\nuint64(0x1_0)\nint(0b11)\n",
    b"go test fuzz v1\r\nfloat64(1.5e-3)\nfloat32(+Inf)\nfloat64(NaN)\nfloat64(0x1p-2)\n",
    b"go test fuzz v1\nmath.Float64frombits(0x7ff8000000000002)\nmath.Float32frombits(1)\n",
    b"go test fuzz v1\n /* c */ int8 ( - 3 , ) // end\n\xc2\xa0uint8(07)\nuint16(0o17)\n",
)
WORDS = (b"go test fuzz v1\n", *(kind.value.encode() + b"(" for kind in GoType), b"\\u", b"\\U0010")


def read(data: bytes) -> None:
    values = unmarshal(data)
    assert unmarshal(marshal(values)) == values


if __name__ == "__main__":
    fuzz(read, SEEDS, words=WORDS)
