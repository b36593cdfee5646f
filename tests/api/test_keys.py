"""Keys and sessions: what opens a service, and what does not any more."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from delineate.api.identity import Identity, Throttle
from delineate.errors import (
    ConflictError,
    NotFoundError,
    OptionError,
    ThrottledError,
    UnauthenticatedError,
)
from delineate.jobs.database import connect, migrate
from delineate.jobs.keys import LOCAL, RIGHTS, KeyRing, Principal
from delineate.jobs.settings import Settings


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    found = connect(f"sqlite:///{tmp_path_factory.mktemp('keys') / 'keys.db'}")
    migrate(found)
    yield found
    found.dispose()


@pytest.fixture
def ring(database: sa.Engine) -> KeyRing:
    with database.begin() as connection:
        for table in ("api_key", "browser_session"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
    return KeyRing(database)


def test_a_key_opens_what_it_was_made_for(ring: KeyRing) -> None:
    key, secret = ring.add("viewer", "ward-1", ["read"])

    assert ring.principal(secret) == Principal("ward-1", "viewer", frozenset({"read"}))
    assert key.state == "usable"
    assert ring.all()[0].used is not None


def test_the_secret_is_kept_nowhere(ring: KeyRing, database: sa.Engine) -> None:
    _, key = ring.add("a", "local", RIGHTS)
    secret = key.split("_", 2)[2]  # which may hold "_" itself
    token = ring.login(key, timedelta(hours=1))
    assert ring.session(token).name == "a"

    for path in Path(str(database.url.database)).parent.iterdir():
        kept = path.read_bytes()
        assert secret.encode() not in kept
        assert token.encode() not in kept


@given(st.text(max_size=80))
def test_nothing_else_is_a_key(database: sa.Engine, told: str) -> None:
    with pytest.raises(UnauthenticatedError):
        KeyRing(database).principal(told)


@pytest.mark.parametrize("change", ["flip", "short", "other id", "no secret"])
def test_a_key_that_is_nearly_right_is_wrong(ring: KeyRing, change: str) -> None:
    _, secret = ring.add("a", "local", ["read"])
    other, _ = ring.add("b", "local", ["read"])
    prefix, key_id, rest = secret.split("_", 2)
    wrong = {
        "flip": f"{prefix}_{key_id}_{'A' if rest[0] != 'A' else 'B'}{rest[1:]}",
        "short": secret[:-1],
        "other id": f"{prefix}_{other.id}_{rest}",
        "no secret": f"{prefix}_{key_id}_",
    }[change]

    with pytest.raises(UnauthenticatedError):
        ring.principal(wrong)


def test_a_revoked_key_opens_nothing_nor_do_its_sessions(ring: KeyRing) -> None:
    _, secret = ring.add("a", "local", ["read"])
    token = ring.login(secret, timedelta(hours=1))
    ring.session(token)

    assert ring.revoke("a").state == "revoked"

    for attempt in (lambda: ring.principal(secret), lambda: ring.session(token)):
        with pytest.raises(UnauthenticatedError):
            attempt()


def test_an_expired_key_opens_nothing_nor_do_its_sessions(ring: KeyRing) -> None:
    _, gone = ring.add("gone", "local", ["read"], timedelta(seconds=-1))
    _, secret = ring.add("short", "local", ["read"], timedelta(minutes=5))
    token = ring.login(secret, timedelta(seconds=-1))

    for attempt in (lambda: ring.principal(gone), lambda: ring.session(token)):
        with pytest.raises(UnauthenticatedError):
            attempt()
    assert ring.all()[0].state == "expired"


def test_a_closed_session_stays_closed(ring: KeyRing) -> None:
    _, secret = ring.add("a", "local", ["read"])
    token = ring.login(secret, timedelta(hours=1))

    ring.logout(token)

    with pytest.raises(UnauthenticatedError):
        ring.session(token)
    assert ring.principal(secret).name == "a"


def test_a_name_is_given_once(ring: KeyRing) -> None:
    ring.add("a", "local", ["read"])
    ring.revoke("a")

    with pytest.raises(ConflictError):
        ring.add("a", "other", ["read"])
    with pytest.raises(NotFoundError):
        ring.revoke("nobody")


@pytest.mark.parametrize(
    ("name", "tenant", "scopes"),
    [
        ("", "local", ["read"]),
        ("a b", "local", ["read"]),
        ("a", "../x", ["read"]),
        ("a", "Ward", ["read"]),
        ("a", "local", []),
        ("a", "local", ["root"]),
    ],
)
def test_what_a_key_cannot_be(ring: KeyRing, name: str, tenant: str, scopes: list[str]) -> None:
    with pytest.raises(OptionError):
        ring.add(name, tenant, scopes)
    assert ring.all() == []


async def _asked(ring: KeyRing, tmp_path: Path, **headers: str) -> Principal:
    identity = Identity(Settings(data=tmp_path), ring)
    return await identity.principal({k.replace("_", "-"): v for k, v in headers.items()}, "")


def test_without_keys_everybody_is_local_and_with_one_nobody(ring: KeyRing, tmp_path: Path) -> None:
    assert asyncio.run(_asked(ring, tmp_path)) == LOCAL

    ring.add("a", "local", ["read"])
    ring.revoke("a")  # the last one gone does not open the door again

    with pytest.raises(UnauthenticatedError):
        asyncio.run(_asked(ring, tmp_path))


def test_a_key_may_come_in_three_ways(ring: KeyRing, tmp_path: Path) -> None:
    import asyncio

    _, secret = ring.add("a", "local", ["read"])
    basic = b64encode(f"anybody:{secret}".encode()).decode()

    for headers in (
        {"authorization": f"Bearer {secret}"},
        {"authorization": f"Basic {basic}"},
        {"x_api_key": secret},
    ):
        assert asyncio.run(_asked(ring, tmp_path, **headers)).name == "a"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Basic", "Basic !", "Basic Og==", "Digest x", "Bearer a.b.c"]
)
def test_a_broken_header_is_no_key(ring: KeyRing, tmp_path: Path, header: str) -> None:
    ring.add("a", "local", ["read"])

    with pytest.raises(UnauthenticatedError):
        asyncio.run(_asked(ring, tmp_path, authorization=header))


@pytest.mark.parametrize(
    ("site", "taken"), [("same-origin", True), ("none", True), ("same-site", False)]
)
def test_a_session_is_for_the_page_of_the_service(
    ring: KeyRing, tmp_path: Path, site: str, taken: bool
) -> None:
    _, secret = ring.add("a", "local", ["read"])
    cookie = f"other=1; delineate_session={ring.login(secret, timedelta(hours=1))}"

    if taken:
        assert asyncio.run(_asked(ring, tmp_path, cookie=cookie, sec_fetch_site=site)).name == "a"
    else:
        with pytest.raises(UnauthenticatedError):
            asyncio.run(_asked(ring, tmp_path, cookie=cookie, sec_fetch_site=site))


def test_wrong_keys_are_slowed_down_for_each_address() -> None:
    throttle = Throttle(most=3, seconds=60, addresses=2)
    for _ in range(3):
        throttle.failed("10.0.0.1")

    with pytest.raises(ThrottledError) as caught:
        throttle.failed("10.0.0.1")
    assert 0 < caught.value.seconds <= 61
    throttle.failed("10.0.0.2")


def test_the_throttle_forgets_addresses_rather_than_grow() -> None:
    throttle = Throttle(most=1, seconds=60, addresses=2)
    for number in range(50):
        throttle.failed(f"10.0.0.{number}")

    assert len(throttle._failures) == 2
