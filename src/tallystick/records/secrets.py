"""Recognise secrets, by the names they go by and by how they look, and take them out of text (rule K3)."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from urllib.parse import quote

from tallystick.frozen import dataclass
from tallystick.patterns import regex

HIDDEN = b"[secret]"

SHORTEST = 8
"""A value below so many characters is no secret: it would be found everywhere."""

_NAMED = (
    r"(?:secret|passw(?:or)?d|passphrase|credential|(?:api|access|private|account|secret)[_-]?key"
    r"|(?:auth|access|api|bearer|refresh)[_-]?token)s?"
)
"""What is called so is a secret, wherever it stands."""

_ALWAYS = regex(r"secret|passw|passphrase|api_?key|credential", re.IGNORECASE)
_PARTS = frozenset({"token", "key", "pass", "pat", "auth", "dsn", "pw", "sas", "signature"})
_NO_VALUE = regex(r"_(FILE|PATH|DIR|SOCK|PROGRAM|COMMAND|HELPER|NAME|PUBLIC_KEY)$", re.IGNORECASE)
_WORDS = regex(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")

_VALUE = rb"""(?![$<\[{*(]|None\b|null\b|True\b|False\b|os\.)([^\s"',;&]{4,})"""

_FORMATS: tuple[tuple[str, str, bytes], ...] = (
    ("an AWS access key", "akia asia aroa aida anpa", rb"\b((?:AKIA|ASIA|AROA|AIDA|ANPA)[A-Z0-9]{16})\b"),
    ("an AWS secret key", "aws", rb"(?i)aws[^\n]{0,40}?[=:\s\"']([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    (
        "a GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        rb"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    (
        "a GitLab token",
        "glpat- glptt- gldt- glrt- glcbt-",
        rb"\b(gl(?:pat|ptt|dt|rt|cbt)-[A-Za-z0-9_-]{20,})",
    ),
    ("a Hugging Face token", "hf_ api_org_", rb"\b((?:hf|api_org)_[A-Za-z0-9]{24,})"),
    ("an API key", "sk-", rb"(?<![A-Za-z0-9_-])(sk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,})"),
    ("a Stripe key", "sk_ rk_ whsec_", rb"\b((?:[sr]k|whsec)_(?:live_|test_)?[A-Za-z0-9]{20,})"),
    ("a Slack token", "xox xapp-", rb"\b(xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,})"),
    ("a Slack address", "hooks.slack.com/services/", rb"hooks\.slack\.com/services/([A-Za-z0-9/]{20,})"),
    (
        "a Google key",
        "aiza ya29. gocspx-",
        rb"\b(AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    ),
    ("a token", "eyj", rb"\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"),
    ("an npm token", "npm_", rb"\b(npm_[A-Za-z0-9]{30,})"),
    ("a PyPI token", "pypi-", rb"\b(pypi-[A-Za-z0-9_-]{40,})"),
    ("a SendGrid key", "sg.", rb"\b(SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"),
    ("a DigitalOcean token", "_v1_", rb"\b(do[opr]_v1_[a-f0-9]{40,})"),
    ("a Databricks token", "dapi", rb"\b(dapi[a-f0-9]{32})"),
    (
        "an Azure key",
        "accountkey= sharedaccess",
        rb"(?i)(?:AccountKey|SharedAccessKey|SharedAccessSignature)=([A-Za-z0-9+/=%&_-]{16,})",
    ),
    ("a password in a URL", "://", rb"://[^/\s:@\"']*:([^/\s@\"'$<{][^/\s@\"']*)@"),
    (
        "a signature in a URL",
        "? &",
        rb"(?i)[?&](?:X-Amz-(?:Signature|Security-Token|Credential)|X-Goog-Signature|signature|sig|code"
        rb"|(?:access_|auth_|api_)?token|api_?key|key|password|secret)=(?![$<{])([^&\s\"'<>]{4,})",
    ),
    (
        "a login",
        "authorization",
        rb"(?i)authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token|digest)[ ]+([^\s\"']{6,})",
    ),
    ("a login", "bearer", rb"\b[Bb]earer[ ]+(?=[^\s\"']*\d)([A-Za-z0-9._~+/=-]{16,})"),
    (
        "a password",
        "passw passphrase secret token key",
        rb"(?i)(?<![A-Za-z0-9])--?(?:[a-z0-9]+[-_])*(?:password|passwd|passphrase|secret|token|api[-_]?key"
        rb"|(?:access|secret|private)[-_]key)(?:[ ]+|=)[\"']?" + _VALUE,
    ),
    (
        "a password",
        "passw passphrase secret credential token key",
        rb"(?i)" + _NAMED.encode() + rb"(?:[_-][a-z]+)?[\"']?\s?[=:][ ]?[\"']?" + _VALUE,
    ),
    ("a token", "token", rb"(?i)\btoken[\"']?\s?[=:][ ]?[\"']?(?=[^\s\"']*\d)([A-Za-z0-9._~+/=-]{16,})"),
)
"""What it is; words without one of which, in whatever case, there is none; how it looks."""

_KEY_BEGINS = regex(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = regex(rb"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")


@cache
def _formats() -> tuple[tuple[str, tuple[bytes, ...], re.Pattern[bytes]], ...]:
    """The patterns, made when the first text is looked at: most commands look at none."""
    return tuple((what, tuple(words.encode().split()), re.compile(form)) for what, words, form in _FORMATS)


def _formats_in(data: bytes) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    """The patterns that may fit: to look for a word is a hundred times as fast as to try a pattern."""
    small = data.lower()
    for what, words, pattern in _formats():
        if any(word in small for word in words):
            yield what, pattern


def looks_secret(name: str) -> bool:
    """Whether an environment variable's name says that its value is a secret."""
    if _NO_VALUE.search(name):
        return False
    words = {word.lower() for word in _WORDS.split(name)}
    return bool(_ALWAYS.search(name)) or not _PARTS.isdisjoint(words)


def says_secret(name: str) -> bool:
    """Whether a parameter's name can only mean a secret; `sort_key` and `pad_token` do not."""
    return re.search(_NAMED, name, re.IGNORECASE) is not None


def secret_values(variables: Mapping[str, str]) -> tuple[bytes, ...]:
    """The values that are secrets by the names of their variables, longest first, as they may be printed."""
    found: set[bytes] = set()
    for name, value in variables.items():
        if looks_secret(name):
            for line in value.splitlines():
                if len(line.strip()) >= SHORTEST and not line.startswith("-----"):
                    found.update(_spellings(line.strip()))
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def _spellings(value: str) -> Iterator[bytes]:
    """A value, and how it looks inside of a URL and of JSON."""
    for text in (value, quote(value, safe=""), json.dumps(value)[1:-1]):
        yield text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets out of text: known values, and whatever looks like a key, a password or a signed URL."""

    values: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> "Redactor":
        """Know the secrets of an environment."""
        return cls(secret_values(variables))

    def text(self, text: str) -> str:
        """The same without secrets."""
        return self.data(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def data(self, data: bytes) -> bytes:
        """The same without secrets; for a whole text, not for a piece of one."""
        stream = Redacting(self)
        return stream.feed(data) + stream.end()

    def lines(self, data: bytes) -> bytes:
        """The same without the secrets that stand on one line."""
        for value in self.values:
            data = data.replace(value, HIDDEN)
        for _, pattern in _formats_in(data):
            data = pattern.sub(_hidden, data)
        return data

    def found(self, text: str) -> str | None:
        """What kind of secret a text holds, in words; None if it holds none."""
        data = text.encode("utf-8", "surrogateescape")
        if _KEY_BEGINS.search(data):
            return "a private key"
        if any(_stands_alone(value).search(data) for value in self.values):
            return "the value of a secret environment variable"
        return next((what for what, pattern in _formats_in(data) if pattern.search(data)), None)


def _stands_alone(value: bytes) -> re.Pattern[bytes]:
    """A value that is a word by itself: a password `postgres` is not meant by `postgres_etl.py`."""
    return re.compile(rb"(?<![A-Za-z0-9_])" + re.escape(value) + rb"(?![A-Za-z0-9_])")


def _hidden(match: re.Match[bytes]) -> bytes:
    start, end = match.start(1) - match.start(), match.end(1) - match.start()
    whole = match[0]
    return whole if match[1] == HIDDEN else whole[:start] + HIDDEN + whole[end:]


class Redacting:
    """A stream on its way through a redactor, held back until its lines are whole.

    A line without an end is cut where it gets too long, a good way before its end, so that no secret is.
    """

    def __init__(self, redactor: Redactor, longest: int = 1 << 16, margin: int = 1 << 13) -> None:
        self._redactor = redactor
        self._longest = longest
        self._margin = margin
        self._rest = b""
        self._in_key = False

    def feed(self, data: bytes) -> bytes:
        """Take in a piece, and give out what is ready."""
        rest = self._rest + data
        cut = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
        if len(rest) - cut > self._longest:
            cut = self._cut(rest)
        self._rest = rest[cut:]
        return self._redacted(rest[:cut])

    def end(self) -> bytes:
        """Give out what is left."""
        rest, self._rest = self._rest, b""
        return self._redacted(rest)

    def _cut(self, rest: bytes) -> int:
        """Where a long line may be cut: never inside of what looks like a secret; 0 to wait for more."""
        spans = sorted(self._spans(rest))
        wanted = len(rest) - self._margin
        before = after = wanted
        for start, end in reversed(spans):
            before = start if start < before < end else before
        for start, end in spans:
            after = end if start < after < end else after
        endless = len(rest) > 16 * self._longest
        return before or (after if after < len(rest) or endless else 0)

    def _spans(self, rest: bytes) -> Iterable[tuple[int, int]]:
        for value in self._redactor.values:
            yield from (found.span() for found in re.finditer(re.escape(value), rest))
        for _, pattern in _formats_in(rest):
            yield from (found.span() for found in pattern.finditer(rest))

    def _redacted(self, data: bytes) -> bytes:
        """Whole lines without secrets, and without private keys, which take many."""
        if not self._in_key and b"PRIVATE KEY" not in data:
            return self._redactor.lines(data)
        return self._redactor.lines(b"".join(self._outside_of_keys(data)))

    def _outside_of_keys(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._in_key:
                found = _KEY_ENDS.search(data)
                self._in_key = found is None
                data = b"" if found is None else data[found.end() :]
            else:
                found = _KEY_BEGINS.search(data)
                self._in_key = found is not None
                yield data if found is None else data[: found.start()] + HIDDEN
                data = b"" if found is None else data[found.end() :]
