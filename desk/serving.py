"""`lanewise serve`: chat, desk and interfaces in one process, with the worker and the post room inside it."""

from __future__ import annotations

from collections.abc import Callable

import uvicorn

from desk.app import create_app
from desk.channels import Channel
from desk.counter import Counter
from desk.workplace import Workplace

Tell = Callable[[str], None]


def serve(place: Workplace, channel: Channel | None, host: str, port: int, tell: Tell) -> int:
    """Serves until SIGINT or SIGTERM, then ends what is in hand. Returns 0; 1 where it could not be opened."""
    counter = Counter(place)
    tell(f"Lanewise serves http://{host}:{port} (answered by: {place.mode}). Stop it by Ctrl-C.")
    if not counter.accounts.all():
        tell("Nobody may work at the desk yet: make a user with `lanewise user add NAME --role lead`.")
    if channel is None:
        tell("No post room in this process: letters wait for `lanewise post --watch`.")
    config = uvicorn.Config(
        create_app(counter, lambda: channel),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1
