"""One worker of the service: `python -m api.cli.worker --fd N`, started by the supervisor with its listening socket."""

from __future__ import annotations

import argparse
import socket

import uvicorn

from geo.settings import Settings


def serve(settings: Settings, fd: int) -> None:
    """Answers requests on an inherited listening socket until it is told to stop."""
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
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=fd)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    serve(Settings.from_environment(), parser.parse_args().fd)
