"""A server that speaks S3, in this process."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

__all__ = ["s3_server"]

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Serve an empty bucket ``images``; the variables through which it is found."""
    pytest.importorskip("moto", reason="moto is not installed")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{port}"
    try:
        httpx.put(f"{url}/images").raise_for_status()
        yield {**VARIABLES, "AWS_ENDPOINT_URL": url}
    finally:
        server.stop()
