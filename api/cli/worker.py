"""One worker of the service: `python -m api.cli.worker --fd N`, started by the supervisor with the port it holds."""

from __future__ import annotations

import argparse
import socket

import uvicorn

from geo.settings import Settings


def serve(settings: Settings, fd: int) -> None:
    """Answers requests on the port of an inherited socket until it is told to stop."""
    from api.app import create_app
    from api.protocol import Protocol

    config = uvicorn.Config(
        create_app(settings),
        http=Protocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        proxy_headers=False,  # the application reads them itself, from the proxies it trusts
    )
    uvicorn.Server(config).run(sockets=[beside(socket.socket(fileno=fd))])


def beside(held: socket.socket) -> socket.socket:
    """A listening socket of this worker's own on the port that the supervisor holds.

    One shared listening socket would give nearly all connections to whichever worker wakes first (measured: one of
    two workers idle under sixteen connections).
    """
    own = socket.socket(held.family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(held.getsockname())
    own.listen(1024)
    return own


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    serve(Settings.from_environment(), parser.parse_args().fd)
