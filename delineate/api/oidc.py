"""Tokens of an OpenID Connect issuer, taken beside our own keys.

Only the resource server's half: a token that somebody got elsewhere (a proxy in front, a script
with client credentials) is checked against the issuer's published keys. RFC 9068, RFC 8725.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import Any
from urllib.parse import urlsplit

from delineate.errors import (
    InputError,
    MissingExtraError,
    OptionError,
    UnauthenticatedError,
    UnavailableError,
)
from delineate.jobs.keys import RIGHTS, Principal, demand_tenant
from delineate.jobs.log import log
from delineate.jobs.settings import Settings

__all__ = ["Issuer"]

# No "none", and nothing symmetric: the public key must not double as a shared secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_KEEP_SECONDS = 3600.0
_AGAIN_SECONDS = 10.0
_LEEWAY_SECONDS = 30
_TIMEOUT_SECONDS = 10.0
_PREFIX = "delineate:"


class Issuer:
    """One issuer and its keys, fetched when first needed and again when a new one turns up."""

    def __init__(self, settings: Settings) -> None:
        try:
            from joserfc import jwk, jwt
            from joserfc.errors import JoseError
        except ImportError as error:
            raise MissingExtraError(
                "tokens of an issuer need joserfc; install it with: pip install 'delineate[oidc]'"
            ) from error
        self._jwk, self._jwt, self._broken = jwk, jwt, (JoseError, ValueError)
        self._url = _trustworthy(settings.oidc.rstrip("/"))
        self._settings = settings
        self._keys: Any = None
        self._fetched = self._tried = -_KEEP_SECONDS
        self._turn = asyncio.Lock()

    async def principal(self, token: str) -> Principal:
        """Who that token is for.

        Its ``sub`` names them; the claims named in the settings say for which tenant it is
        (``local`` without one) and what it may do: ``delineate:read delineate:run`` or a list.

        Raises
        ------
        UnauthenticatedError
            If its signature, issuer, audience or time is not right, or its tenant is none.
        UnavailableError
            If the issuer does not tell its keys and none are known.
        """
        claims = await self._claims(token)
        told = claims.get(self._settings.oidc_scopes, "")
        scopes = told.split() if isinstance(told, str) else [str(one) for one in told or ()]
        rights = {one.removeprefix(_PREFIX) for one in scopes if one.startswith(_PREFIX)}
        tenant = str(claims.get(self._settings.oidc_tenant, "local"))
        try:
            demand_tenant(tenant)
        except OptionError as error:
            raise UnauthenticatedError(f"this token's tenant is none: {error}") from None
        name = f"oidc:{claims['sub']}"[:64]
        return Principal(tenant, name, frozenset(rights & set(RIGHTS)))

    async def _claims(self, token: str) -> dict[str, Any]:
        expected: dict[str, Any] = {
            "iss": {"essential": True, "values": [self._url, f"{self._url}/"]},
            "aud": {"essential": True, "value": self._settings.oidc_audience},
            "exp": {"essential": True},
            "sub": {"essential": True},
        }
        for again in (False, True):
            keys = await self._known(again)
            try:
                found = self._jwt.decode(token, keys, algorithms=list(_ALGORITHMS))
                registry = self._jwt.JWTClaimsRegistry(leeway=_LEEWAY_SECONDS, **expected)
                registry.validate(found.claims)
            except self._broken as error:
                unknown_key = "key" in type(error).__name__.lower()
                if unknown_key and not again:  # it may have changed its keys
                    continue
                raise UnauthenticatedError(
                    f"this token is not accepted ({type(error).__name__}); expected one of "
                    f"{self._url} for the audience {self._settings.oidc_audience!r}"
                ) from None
            else:
                claims: dict[str, Any] = found.claims
                return claims
        raise AssertionError("unreachable")

    async def _known(self, again: bool) -> Any:
        """The issuer's keys; those that are known while it is away."""
        async with self._turn:
            now = time.monotonic()
            old = now - self._fetched >= _KEEP_SECONDS or again
            if (old or self._keys is None) and now - self._tried >= _AGAIN_SECONDS:
                self._tried = now
                try:
                    self._keys = await self._fetch()
                    self._fetched = now
                except Exception as error:  # whatever a stranger's server makes of it
                    log.warning("issuer away", error=type(error).__name__)
            if self._keys is None:
                raise UnavailableError(
                    "the issuer of this token does not answer, so it cannot be checked; try again, "
                    "or use an API key"
                )
            return self._keys

    async def _fetch(self) -> Any:
        import httpx

        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
            found = await client.get(f"{self._url}/.well-known/openid-configuration")
            document = found.raise_for_status().json()
            if document["issuer"].rstrip("/") != self._url:
                raise InputError("the issuer calls itself otherwise")
            keys = await client.get(_trustworthy(document["jwks_uri"]))
            return self._jwk.KeySet.import_key_set(keys.raise_for_status().json())


def _trustworthy(url: str) -> str:
    """An address whose answer nobody on the way can change: https, or this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise OptionError(f"expected an issuer at https://..., got {url[:200]!r}")
    return url
