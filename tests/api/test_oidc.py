"""Tokens of an issuer that really runs: which are taken, and which are not."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jwt

from delineate.api.oidc import Issuer
from delineate.errors import OptionError, UnauthenticatedError, UnavailableError
from delineate.jobs.keys import Principal
from delineate.jobs.settings import Settings


@cache
def rsa(kid: str) -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048, {"kid": kid})


class Issuing:
    """An issuer on this machine: it publishes its keys and signs whatever it is asked to."""

    def __init__(self) -> None:
        self.keys = [rsa("first")]
        self.asked = 0
        issuing = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuing.asked += 1
                document: dict[str, Any] = {
                    "/.well-known/openid-configuration": {
                        "issuer": issuing.url,
                        "jwks_uri": f"{issuing.url}/keys",
                    },
                    "/keys": {"keys": [key.as_dict(private=False) for key in issuing.keys]},
                }[self.path]
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def token(self, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        key = key or self.keys[-1]
        now = int(time.time())
        told = {
            "iss": self.url,
            "aud": "delineate",
            "sub": "anna",
            "exp": now + 60,
            "tenant": "ward",
            "scope": "openid delineate:read delineate:run delineate:root",
            **claims,
        }
        told = {name: value for name, value in told.items() if value is not None}
        header = header or {"alg": "RS256", "kid": key.kid}
        return jwt.encode(header, told, key, algorithms=[header["alg"]])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def issuing() -> Iterator[Issuing]:
    one = Issuing()
    yield one
    one.close()


def issuer(issuing: Issuing) -> Issuer:
    return Issuer(Settings(data=Path("unused"), oidc=issuing.url))


def test_a_token_says_who_for_whom_and_what(issuing: Issuing) -> None:
    who = asyncio.run(issuer(issuing).principal(issuing.token()))

    assert who == Principal("ward", "oidc:anna", frozenset({"read", "run"}))


def test_scopes_may_be_a_list_and_the_tenant_is_local_without_one(issuing: Issuing) -> None:
    token = issuing.token(scope=["delineate:upload"], tenant=None, aud=["x", "delineate"])

    who = asyncio.run(issuer(issuing).principal(token))

    assert who == Principal("local", "oidc:anna", frozenset({"upload"}))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"tenant": "../other"},
    ],
    ids=str,
)
def test_a_token_that_says_wrong_things_is_not_taken(
    issuing: Issuing, claims: dict[str, Any]
) -> None:
    with pytest.raises(UnauthenticatedError):
        asyncio.run(issuer(issuing).principal(issuing.token(**claims)))


def test_a_token_of_somebody_elses_key_is_not_taken(issuing: Issuing) -> None:
    stranger = jwk.RSAKey.generate_key(2048, {"kid": "first"})

    with pytest.raises(UnauthenticatedError):
        asyncio.run(issuer(issuing).principal(issuing.token(stranger)))


def test_the_public_key_is_no_shared_secret(issuing: Issuing) -> None:
    public = issuing.keys[0].as_pem(private=False)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"first"}').rstrip(b"=")
    signed = head + b"." + issuing.token().split(".")[1].encode()
    seal = base64.urlsafe_b64encode(hmac.digest(public, signed, "sha256")).rstrip(b"=")

    with pytest.raises(UnauthenticatedError):
        asyncio.run(issuer(issuing).principal((signed + b"." + seal).decode()))


def test_an_unsigned_token_is_not_taken(issuing: Issuing) -> None:
    head, claims, _ = issuing.token().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()

    for token in (f"{head}.{claims}.", f"{none}.{claims}.", "a.b.c", "..", f".{claims}."):
        with pytest.raises(UnauthenticatedError):
            asyncio.run(issuer(issuing).principal(token))


def test_a_new_key_is_fetched_and_known_ones_are_not_asked_for_again(
    issuing: Issuing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delineate.api.oidc._AGAIN_SECONDS", 0.0)

    async def ask() -> None:
        taking = issuer(issuing)
        for _ in range(5):
            await taking.principal(issuing.token())
        assert issuing.asked == 2  # where its keys are, and the keys
        issuing.keys.append(rsa("second"))
        assert (await taking.principal(issuing.token())).name == "oidc:anna"
        assert issuing.asked == 4

    asyncio.run(ask())


def test_known_keys_are_good_while_the_issuer_is_away() -> None:
    issuing = Issuing()
    token, taking, other = issuing.token(), issuer(issuing), issuer(issuing)

    async def ask() -> None:
        await taking.principal(token)
        issuing.close()
        assert (await taking.principal(token)).tenant == "ward"
        with pytest.raises(UnavailableError):
            await other.principal(token)

    asyncio.run(ask())


@pytest.mark.parametrize("url", ["http://issuer.example", "ftp://127.0.0.1", "issuer.example"])
def test_an_issuer_is_asked_over_https_only(url: str) -> None:
    with pytest.raises(OptionError):
        Issuer(Settings(data=Path("unused"), oidc=url))
