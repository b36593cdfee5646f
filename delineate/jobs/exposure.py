"""Where a service listens: beyond this machine only with somebody at the door."""

from __future__ import annotations

import importlib.util
import ipaddress
import socket

from delineate.errors import InputError, MissingExtraError
from delineate.jobs.settings import Settings

__all__ = ["address_of", "demand_door", "demand_extras"]


def address_of(host: str) -> str:
    """The address of a host name."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise InputError(f"the host {host!r} is unknown; give 127.0.0.1") from error


def demand_door(host: str, settings: Settings) -> str:
    """The address to listen on, if whoever can reach it is asked who they are.

    Raises
    ------
    InputError
        If others than this machine's users can reach it and nobody would be asked for a key.
    """
    address = address_of(host)
    if ipaddress.ip_address(address).is_loopback or settings.oidc or _has_keys(settings):
        return address
    raise InputError(
        f"delineate does not listen on {host} without keys: whoever reaches that address could "
        "read every image; make one with 'delineate keys add NAME' for the same --data or "
        "--database, or name an issuer of tokens with --oidc, or listen on 127.0.0.1"
    )


def demand_extras(settings: Settings) -> None:
    """Raise unless the packages are installed that these settings ask for.

    Raises
    ------
    MissingExtraError
        Names the extra.
    """
    wanted = {
        "deidentify": ("cryptography", "dicomanonymizer") if settings.deidentify != "off" else (),
        "oidc": ("joserfc",) if settings.oidc else (),
    }
    for extra, packages in wanted.items():
        for package in packages:
            if importlib.util.find_spec(package) is None:
                raise MissingExtraError(
                    f"the setting {extra!r} needs the package {package}; install it with: "
                    f"pip install 'delineate[{extra}]'"
                )


def _has_keys(settings: Settings) -> bool:
    from delineate.jobs import engine
    from delineate.jobs.keys import KeyRing

    database = engine.prepare(settings)
    try:
        return any(key.state == "usable" for key in KeyRing(database).all())
    finally:
        database.dispose()
