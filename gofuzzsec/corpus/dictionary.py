"""Dictionaries: tokens that a mutator may put into an input.

The file format is the one that AFL and libFuzzer share: a token in double quotes on each line,
with an optional name and level before it. As in both, a token goes from the first quote of its
line to the last, so that quotes inside need no backslash.

    # what follows a hash sign at the start of a line is a comment
    magic="\\x89PNG"
    chunk@2="IHDR"
    "no name"

The dictionaries that ship with the tool are in ``corpus/`` of the repository; the link ``shipped``
beside this file makes them package data.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gofuzzsec.errors import UsageError

MAX_TOKEN = 4096
"""Bytes of a token; a longer one belongs into the corpus."""
MAX_FILE = 64 << 20
"""Bytes of a dictionary file."""
MAX_TOKENS = 1_000_000
"""Tokens of one file; they would take some 100 MB of memory."""

# Each character can be matched in one way only: a line may be 64 MiB of blanks.
_NAME = re.compile(rb"[^\"@=]+(?:@[0-9]+[ \t]*)?=[ \t]*")
_SPECIAL = re.compile(rb"\\(?:\\|\"|x([0-9a-fA-F]{2}))?|[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPES = r"\\, \" or \xNN with two hexadecimal digits"

_FITS: Mapping[str, tuple[str, ...]] = {
    "asn1": ("crypto/x509", "encoding/asn1", "golang.org/x/crypto/cryptobyte"),
    "csv": ("encoding/csv",),
    "elf": ("debug/elf", "debug/dwarf", "debug/buildinfo"),
    "gif": ("image/gif",),
    "go": ("go/ast", "go/build", "go/format", "go/parser", "go/printer", "go/scanner", "go/types"),
    "gzip": ("compress/gzip", "compress/flate", "compress/zlib", "github.com/klauspost/compress"),
    "html": ("html", "html/template", "golang.org/x/net/html", "github.com/PuerkitoBio/goquery"),
    "http": (
        "mime",
        "mime/multipart",
        "net/http",
        "net/mail",
        "net/textproto",
        "github.com/gin-gonic/gin",
        "github.com/valyala/fasthttp",
        "golang.org/x/net/http/httpguts",
    ),
    "jpeg": ("image/jpeg",),
    "json": (
        "encoding/json",
        "github.com/goccy/go-json",
        "github.com/json-iterator/go",
        "github.com/tidwall/gjson",
        "github.com/valyala/fastjson",
        "k8s.io/apimachinery",
    ),
    "jwt": (
        "github.com/go-jose/go-jose",
        "github.com/golang-jwt/jwt",
        "github.com/lestrrat-go/jwx",
        "gopkg.in/square/go-jose.v2",
    ),
    "pem": ("crypto/x509", "encoding/pem", "golang.org/x/crypto/ssh"),
    "png": ("image/png",),
    "regexp": ("regexp", "regexp/syntax", "github.com/dlclark/regexp2"),
    "sql": (
        "database/sql",
        "github.com/jackc/pgx",
        "github.com/pingcap/tidb",
        "github.com/xwb1989/sqlparser",
        "vitess.io/vitess",
    ),
    "tar": ("archive/tar",),
    "toml": ("github.com/BurntSushi/toml", "github.com/pelletier/go-toml"),
    "url": ("net/url", "net/netip"),
    "xml": ("encoding/xml", "github.com/beevik/etree"),
    "yaml": (
        "github.com/ghodss/yaml",
        "github.com/goccy/go-yaml",
        "go.yaml.in/yaml",
        "gopkg.in/yaml",
        "sigs.k8s.io/yaml",
    ),
    "zip": ("archive/zip", "github.com/klauspost/compress/zip"),
}
"""Shipped dictionaries and the packages whose users they fit. A path stands for the packages below
it as well when it is not one of the standard library's, and for versions such as ``yaml.v3``."""


def parse_dictionary(text: bytes, name: str) -> tuple[bytes, ...]:
    """The tokens of a dictionary file, each once, in order of their first appearance.

    *name* is what to call the file in messages. Levels are read and not used: every token counts.
    Raises UsageError with line and column (both from 1) of the first thing that is wrong.
    """
    if len(text) > MAX_FILE:
        raise UsageError(
            f"expected a dictionary of at most {MAX_FILE >> 20} MiB, found {len(text)} bytes in "
            f"{name}; split it, or keep the tokens that matter"
        )
    tokens: dict[bytes, None] = {}
    for number, line in enumerate(text.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        content = line.strip()
        if not content or content.startswith(b"#"):
            continue
        try:
            tokens[_token(line)] = None
        except _Wrong as wrong:
            column = len(line[: wrong.at].decode("utf-8", "replace")) + 1
            raise UsageError(f"{name}:{number}:{column}: {wrong}") from None
        if len(tokens) > MAX_TOKENS:
            raise UsageError(
                f"{name}:{number}:1: expected at most {MAX_TOKENS} tokens, found more; keep the "
                "tokens that matter"
            )
    return tuple(tokens)


class _Wrong(Exception):  # noqa: N818 - it never leaves this module
    """What is wrong with a line; ``at`` is the index of the byte."""

    def __init__(self, at: int, text: str) -> None:
        super().__init__(text)
        self.at = at


def _token(line: bytes) -> bytes:
    """The token of one line that has one. Raises _Wrong."""
    end = len(line.rstrip())
    begin = len(line) - len(line.lstrip())
    if line[begin : begin + 1] != b'"':
        named = _NAME.match(line, begin)
        if named is None or line[named.end() : named.end() + 1] != b'"':
            at = named.end() if named else begin
            found = _shown(line[at:end]) or "the end of the line"
            wanted = 'a token in double quotes such as "GET"'
            if named is None:
                wanted += ' or name="GET"'
            raise _Wrong(at, f"expected {wanted}, found {found}; comments begin with #")
        begin = named.end()
    if line[end - 1 : end] != b'"' or end - 1 == begin:
        raise _Wrong(
            end,
            "expected a double quote at the end of the line, found "
            f"{_shown(line[max(begin, end - 8) : end])}; comments stand on lines of their own",
        )
    token = _unescaped(line, begin + 1, end - 1)
    if not 1 <= len(token) <= MAX_TOKEN:
        raise _Wrong(
            begin,
            f"expected a token of 1 to {MAX_TOKEN} bytes, found {len(token)}; remove the line",
        )
    return token


def _unescaped(line: bytes, begin: int, end: int) -> bytes:
    """The bytes that ``line[begin:end]`` stands for. Raises _Wrong."""
    parts = []
    at = begin
    while special := _SPECIAL.search(line, at, end):
        parts.append(line[at : special.start()])
        found = special[0]
        if found == b"\\":
            shown = _shown(line[special.start() : min(special.start() + 4, end)])
            raise _Wrong(
                special.start(),
                f"expected {_ESCAPES} after a backslash, found {shown}; write \\\\ for a backslash",
            )
        if not found.startswith(b"\\"):
            raise _Wrong(
                special.start(),
                f"expected printable characters, found byte {found[0]}; write \\x{found[0]:02x}",
            )
        parts.append(bytes([int(special[1], 16)]) if special[1] else found[1:])
        at = special.end()
    return b"".join([*parts, line[at:end]])


def _shown(data: bytes) -> str:
    """*data* for a message, on one line, not too long."""
    if not data:
        return ""
    text = ascii(data[:40].decode("utf-8", "replace"))
    return f"{text}..." if len(data) > 40 else text


def read_dictionary(path: Path) -> tuple[bytes, ...]:
    """`parse_dictionary` of a file. Raises UsageError also when it cannot be read."""
    try:
        # Not waiting for a pipe's other end; what is no regular file is refused below.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as handle:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise UsageError(f"expected a dictionary file at {path}, found no regular file")
            text = handle.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(
            f"expected a dictionary at {path}, found: {error.strerror}; check the path"
        ) from error
    return parse_dictionary(text, str(path))


def format_dictionary(tokens: Iterable[bytes]) -> bytes:
    """A dictionary file with *tokens*, one a line; `parse_dictionary` gives them back.

    Raises ValueError for a token that is empty or longer than `MAX_TOKEN`.
    """
    lines = []
    for token in tokens:
        if not 1 <= len(token) <= MAX_TOKEN:
            raise ValueError(f"expected a token of 1 to {MAX_TOKEN} bytes, found {len(token)}")
        lines.append(f'"{"".join(map(_escaped, token))}"\n')
    return "".join(lines).encode("ascii")


def _escaped(byte: int) -> str:
    if byte in b'\\"':
        return f"\\{byte:c}"
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"


def shipped_dictionaries() -> dict[str, Path]:
    """The dictionaries that ship with the tool, by name (``json``), sorted.

    Raises UsageError when there are none: the installation is broken.
    """
    folder = Path(__file__).with_name("shipped")
    found = {path.stem: path for path in sorted(folder.glob("*.dict"))}
    if not found:
        raise UsageError(
            f"expected dictionaries (*.dict) in {folder}, found none; install gofuzzsec again"
        )
    return found


def suggested(import_path: str, imports: Sequence[str]) -> tuple[str, ...]:
    """Names of the shipped dictionaries that fit a package, sorted.

    *imports* are the packages that it imports directly: whoever imports encoding/json reads JSON,
    but by way of net/http nearly every format there is would come in.
    """
    paths = {import_path, *imports}
    return tuple(
        name
        for name, packages in _FITS.items()
        if any(_stands_for(package, path) for package in packages for path in paths)
    )


def _stands_for(package: str, path: str) -> bool:
    if path == package:
        return True
    third_party = "." in package.split("/", 1)[0]
    return third_party and path.startswith((f"{package}/", f"{package}.v"))
