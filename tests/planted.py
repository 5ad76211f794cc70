"""Forty secrets of all kinds, each in a line that a program might print. None of them opens anything."""

import string


def _like(
    prefix: str, length: int, letters: str = string.ascii_letters + string.digits, start: int = 7
) -> str:
    """A text that looks random, put together here so that no scanner takes this file for a leak."""
    return prefix + "".join(letters[(start * (n + 3) * (n + 5) + n) % len(letters)] for n in range(length))


_KEY_BODY = [_like("MII", 61), _like("Q", 63, start=11), _like("Zz9", 20, start=5)]
_KEY = "\n".join(["-----BEGIN RSA " + "PRIVATE KEY-----", *_KEY_BODY, "-----END RSA " + "PRIVATE KEY-----"])

VARIABLES = {
    "SOME_SERVICE_TOKEN": _like("tok", 21),
    "DATABASE_PASSWORD": "correct horse/battery&staple",
    "OTHER_SECRET": _like("", 12, start=13),
    "WANDB_API_KEY": _like("", 40, string.hexdigits[:16]),
    "MY_KEY": "zw\u00f6lf-geheime-W\u00f6rter",
    "SENTRY_DSN": "dsn-value-of-nothing",
    "DEPLOY_KEY": "first-line-of-it\nsecond-line-of-it",
}

_UPPER = string.ascii_uppercase + string.digits
_HEX = string.hexdigits[:16]


def _plant(template: str, secret: str) -> tuple[str, str]:
    return template.replace("@", secret, 1) if "\\@" not in template else template, secret


PLANTED: tuple[tuple[str, str], ...] = (
    *(("got " + value.splitlines()[-1], value.splitlines()[-1]) for value in VARIABLES.values()),
    ("deploy first-line-of-it", "first-line-of-it"),
    ("in a URL correct%20horse%2Fbattery%26staple", "correct%20horse%2Fbattery%26staple"),
    _plant("key id @", _like("AKIA", 16, _UPPER)),
    _plant("temporary @", _like("ASIA", 16, _UPPER, 11)),
    _plant("aws_secret_access_key = @", _like("wJ", 38)),
    _plant("cloning with @", _like("ghp_", 36)),
    _plant("app @", _like("ghs_", 36, start=3)),
    _plant("fine grained @", _like("github_pat_", 60)),
    _plant("lab @", _like("glpat-", 20)),
    _plant("hub login @", _like("hf_", 34)),
    _plant("openai @", _like("sk-", 48)),
    _plant("openai project @", _like("sk-proj-", 60, start=3)),
    _plant("claude @", _like("sk-ant-api03-", 80)),
    _plant("pay @", _like("sk_live_", 24)),
    _plant("chat @", _like("xoxb-123456789012-", 24)),
    _plant("post to https://hooks.slack.com/services/@", _like("T0/B0/", 24)),
    _plant("maps @", _like("AIza", 35)),
    _plant("oauth @", _like("ya29.", 60)),
    _plant("client @", _like("GOCSPX-", 28)),
    _plant("session @", ".".join((_like("eyJ", 33), _like("eyJ", 60, start=3), _like("", 43)))),
    _plant("registry @", _like("npm_", 36)),
    _plant("upload @", _like("pypi-AgEIcHlwaS5vcmc", 80)),
    _plant("mail @", ".".join(("SG", _like("", 22), _like("", 43, start=11)))),
    _plant("droplet @", _like("dop_v1_", 64, _HEX)),
    _plant("bricks @", _like("dapi", 32, _HEX)),
    _plant("DefaultEndpointsProtocol=https;AccountKey=@", _like("", 86) + "=="),
    ("postgres://ana:hunter2pw@db.example.org/x", "hunter2pw"),
    ("https://ana:s3cr3tpw@git.example.org/x.git", "s3cr3tpw"),
    _plant("GET https://b.s3.amazonaws.com/k?X-Amz-Signature=@&x=1", _like("", 64, _HEX)),
    _plant("GET https://a.blob.core.windows.net/c?sv=1&sig=@", _like("", 43) + "%3D"),
    _plant("https://api.example.org/v1?api_key=@", _like("", 24)),
    _plant("Authorization: Basic @", _like("dXNlcjpw", 24)),
    _plant("Authorization: Bearer @", _like("", 40, start=3)),
    ("mysql --password hunter3pw --host x", "hunter3pw"),
    ("tool --db-password=hunter4pw", "hunter4pw"),
    ("login --token t0ken-of-mine", "t0ken-of-mine"),
    ('{"password": "hunter5pw"}', "hunter5pw"),
    ("config: client_secret=hunter6pw", "hunter6pw"),
    ("api_key: 'hunter7pw'", "hunter7pw"),
    _plant("token=@", _like("a9", 30)),
    *((f"{_KEY}", line) for line in _KEY_BODY[:1]),
)
"""Lines, and what of each must be found nowhere."""
