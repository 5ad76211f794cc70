"""Settings: a repository may name places, and nothing that steers how they are reached."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import BadRecord
from tallystick.records.config import Config, RemoteConfig, check_url, from_entries, redacted
from tests.records.strategies import relaxed, texts

ORIGIN = ("remote.origin.url", "s3://bucket/store")


def test_nothing_said_is_an_empty_config() -> None:
    assert from_entries([]) == Config()


def test_settings_are_read_from_what_git_lists() -> None:
    config = from_entries(
        [("core.repository", "0a1b"), ("core.remote", "origin"), ORIGIN, ("remote.origin.region", "eu")]
    )
    assert config.repository == "0a1b"
    assert config.default_remote == "origin"
    assert config.remotes == {
        "origin": RemoteConfig("origin", "s3://bucket/store", {"region": "eu"}, shared=True)
    }
    assert config.values["core.repository"] == "0a1b"


def test_the_users_own_settings_stand_above_the_shared_ones() -> None:
    config = from_entries(
        [ORIGIN, ("core.jobs", "2"), ("store.link", "copy")],
        [
            ("remote.origin.url", "/mnt/store"),
            ("remote.origin.endpointurl", "http://localhost:9000"),
            ("core.jobs", "8"),
        ],
    )
    remote = config.remotes["origin"]
    assert (remote.url, remote.shared) == ("/mnt/store", False)
    assert remote.options == {"endpointurl": "http://localhost:9000"}
    assert config.values["core.jobs"] == "8"
    assert config.values["store.link"] == "copy"


def test_a_key_is_the_same_in_any_case_but_a_remotes_name_is_not() -> None:
    config = from_entries([("Remote.Cloud.URL", "/a"), ("remote.cloud.url", "/b"), ("CORE.Remote", "Cloud")])
    assert {name: remote.url for name, remote in config.remotes.items()} == {"Cloud": "/a", "cloud": "/b"}
    assert config.default_remote == "Cloud"


def test_the_only_remote_is_the_default_and_of_several_none() -> None:
    assert from_entries([ORIGIN]).default_remote == "origin"
    assert from_entries([ORIGIN, ("remote.other.url", "/x")]).default_remote is None


def test_a_remotes_name_may_hold_dots() -> None:
    config = from_entries([("remote.a.b.url", "/x"), ("remote.a.url", "/y")])
    assert {name: dict(remote.options) for name, remote in config.remotes.items()} == {"a": {}, "a.b": {}}


def test_options_without_a_url_make_no_remote() -> None:
    assert from_entries([], [("remote.gone.profile", "work")]).remotes == {}


@pytest.mark.parametrize(
    "option",
    [
        "endpointurl",
        "EndpointURL",
        "profile",
        "credentialpath",
        "accesskeyid",
        "secretaccesskey",
        "password",
        "token",
        "anon",
        "proxy",
        "sslverify",
        "configpath",
        "user",
        "port",
        "keyfile",
        "helper",
        "askpassword",
    ],
)
def test_a_repository_may_not_steer_a_connection(option: str) -> None:
    with pytest.raises(BadRecord, match="only from the user's own") as caught:
        from_entries([ORIGIN, (f"remote.origin.{option}", "x")])
    assert "tally config --local" in str(caught.value.hint)
    assert from_entries([ORIGIN], [(f"remote.origin.{option}", "x")]).remotes["origin"].options


@pytest.mark.parametrize(
    "key", ["core.token", "store.password", "http.proxy", "core.sshcommand", "ssh.program"]
)
def test_nor_may_it_name_secrets_or_programs_elsewhere(key: str) -> None:
    with pytest.raises(BadRecord, match="only from the user's own"):
        from_entries([(key, "x")])


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@host/x",
        "https://ghp_0123456789@host/x",
        "s3://AKIA0:secret@bucket/x",
        "sftp://me:pw@host/x",
        "s3://bucket/x?X-Amz-Signature=abc",
        "https://a.blob.core.windows.net/c?sv=1&sig=abc",
        "https://host/x?access_token=abc",
    ],
)
def test_a_shared_url_that_holds_a_secret_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadRecord, match="password or signature") as caught:
        from_entries([("remote.origin.url", url)])
    for secret in ("password@", "ghp_", "secret", ":pw", "abc"):
        assert secret not in str(caught.value)
    assert from_entries([], [("remote.origin.url", url)]).remotes["origin"].url == url


@pytest.mark.parametrize(
    "url",
    [
        "/srv/store",
        "../store",
        "relative dir",
        "file:///srv/x",
        "s3://b/p",
        "gs://b",
        "az://c/p",
        "sftp://me@host/x",
        "memory://x",
    ],
)
def test_an_honest_url_is_taken_as_it_is(url: str) -> None:
    assert from_entries([("remote.origin.url", url)]).remotes["origin"].url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "a\nb",
        "simplecache::s3://b",
        "zip://x::/y",
        "ftp://host/x",
        "python://os",
        "reference://x",
        "-oProxyCommand=x",
        "git@host:path",
        "a" * 5000,
        "file\x1b[31m",
    ],
)
def test_a_strange_url_is_refused_wherever_it_stands(url: str) -> None:
    with pytest.raises(BadRecord):
        from_entries([("remote.origin.url", url)])
    with pytest.raises(BadRecord):
        from_entries([], [("remote.origin.url", url)])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("remote..url", "x"),
        ("remote.url", "x"),
        ("remote.a/b.url", "x"),
        ("remote.-x.url", "x"),
        ("remote.o.bad_option", "x"),
        ("core.repository", "a/../b"),
        ("core.jobs", "many"),
        ("core.jobs", "0"),
        ("store.link", "magic"),
        ("core.remote", "a\nb"),
    ],
)
def test_a_malformed_setting_is_refused(key: str, value: str) -> None:
    with pytest.raises(BadRecord):
        from_entries([(key, value)])


def test_links_that_there_are_not_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadRecord, match=r"must be one of .*`hardlink`, `symlink`"):
        from_entries([("store.link", "junction")])


@relaxed
@given(texts)
def test_a_url_is_shown_without_what_stands_before_its_host(secret: str) -> None:
    hidden = "s3cr3t" + secret.replace("/", "").replace("@", "").replace("?", "").replace("#", "")
    assert "s3cr3t" not in redacted(f"https://me:{hidden}@host/x")


@relaxed
@given(st.text(max_size=40) | texts.map(lambda text: f"s3://{text}"))
def test_any_url_is_taken_or_refused(url: str) -> None:
    try:
        assert check_url(url) == url
        redacted(url)
    except BadRecord:
        pass
