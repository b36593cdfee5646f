"""From the headers of a request to who asks: keys, browsers' sessions, tokens of an issuer."""

from __future__ import annotations

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie

from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from delineate.api.oidc import Issuer
from delineate.errors import ThrottledError, UnauthenticatedError
from delineate.jobs.keys import LOCAL, KeyRing, Principal
from delineate.jobs.settings import Settings

__all__ = ["COOKIE", "SESSION", "Identity", "Throttle", "client_address", "session_token"]

COOKIE = "delineate_session"
SESSION = timedelta(hours=12)


class Throttle:
    """Counts what went wrong for each address, in windows of a minute.

    A right key is taken all the same: it cannot be guessed, and behind a proxy all share one
    address. What this bounds is how fast a stranger fills the log and the audit.
    """

    def __init__(self, most: int = 20, seconds: float = 60.0, addresses: int = 10_000) -> None:
        self._most, self._seconds, self._addresses = most, seconds, addresses
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def failed(self, address: str) -> None:
        """Note a failure.

        Raises
        ------
        ThrottledError
            If there were too many.
        """
        now = time.monotonic()
        began, count = self._failures.pop(address, (now, 0))
        if now - began >= self._seconds:
            began, count = now, 0
        self._failures[address] = (began, count + 1)
        if len(self._failures) > self._addresses:
            self._failures.popitem(last=False)
        if count >= self._most:
            wait = int(self._seconds - (now - began)) + 1
            raise ThrottledError(
                f"{self._most} wrong keys came from this address within {self._seconds:g} s; "
                f"try again in {wait} s with a right one",
                wait,
            )


class Identity:
    """Finds out who asks."""

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        self._keys = keys
        self._issuer = Issuer(settings) if settings.oidc else None
        self._throttle = Throttle()
        self.asked_for = settings.keys_required or self._issuer is not None or bool(keys.all())

    async def principal(self, headers: Mapping[str, str], address: str) -> Principal:
        """Who asks.

        Parameters
        ----------
        headers
            By lower-case names.
        address
            Where from, to slow down who tries keys.

        Raises
        ------
        UnauthenticatedError
            If nobody known does.
        ThrottledError
            If too many wrong keys came from there.
        """
        if not self.asked_for:
            return LOCAL
        try:
            if (key := _key(headers)) is not None:
                return await self._bearer(key)
            if (token := session_token(headers)) is not None:
                return await run_in_threadpool(self._keys.session, token)
        except UnauthenticatedError:
            self._throttle.failed(address)
            raise
        raise UnauthenticatedError(
            "this call needs a key: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY' (on the "
            "command line --key-file or DELINEATE_KEY); 'delineate keys add' makes one"
        )

    async def login(self, key: str, address: str) -> tuple[str, Principal]:
        """Open a session with a key; its token and whose it is."""
        try:
            token = await run_in_threadpool(self._keys.login, key, SESSION)
        except UnauthenticatedError:
            self._throttle.failed(address)
            raise
        return token, await run_in_threadpool(self._keys.session, token)

    async def logout(self, token: str) -> None:
        """Close a session."""
        await run_in_threadpool(self._keys.logout, token)

    async def _bearer(self, key: str) -> Principal:
        if self._issuer is not None and key.count(".") == 2:  # a JSON Web Token
            return await self._issuer.principal(key)
        return await run_in_threadpool(self._keys.principal, key)


def _key(headers: Mapping[str, str]) -> str | None:
    """The key that a request brings: by its own header, as a bearer, or as a Basic password."""
    if "x-api-key" in headers:
        return headers["x-api-key"].strip()
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return "" if scheme else None


def session_token(headers: Mapping[str, str]) -> str | None:
    """The token of a browser's session, where the page of the service itself asks.

    The cookie is SameSite=Strict, so that no other site's page can use it; a page of a sister
    site (another port or sub-domain) can, and is told by ``Sec-Fetch-Site``.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return None
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if cookie is None else cookie.value


def client_address(scope: Scope) -> str:
    """Where a request comes from: the proxy, if there is one that is not trusted to say."""
    return str(scope["client"][0]) if scope.get("client") else ""
