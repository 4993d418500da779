"""A service that is started again whenever it is killed, at once: a parent that holds the port and forks. Run as a program.

It prints the process number of each child that serves. `python mortal_service.py PORT`
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import uvicorn

from api.app import create_app
from api.protocol import Protocol
from geo.settings import Settings

if __name__ == "__main__":
    settings = Settings.from_environment()
    held = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
    parent = os.getpid()
    while True:
        pid = os.fork()
        if pid == 0:
            import ctypes

            ctypes.CDLL(None).prctl(1, 9)
            config = uvicorn.Config(
                create_app(settings), http=Protocol, log_level="error", access_log=False, lifespan="off"
            )
            sys.stdout.write(f"{os.getpid()}\n")
            sys.stdout.flush()
            asyncio.run(uvicorn.Server(config).serve(sockets=[held]))
            os._exit(0)
        os.waitpid(pid, 0)
