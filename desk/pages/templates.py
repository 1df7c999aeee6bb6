"""How a page is made: one environment that escapes everything, and what every page is given."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from desk.channels.console import visible
from desk.made_up_marks import note_of


@cache
def environment() -> Environment:
    """The templates. All are escaped; ``shown`` makes invisible characters of strangers visible besides."""
    made = Environment(
        loader=PackageLoader("desk", "pages/html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["when"] = lambda moment: "" if moment is None else f"{moment:%d %b %H:%M}"
    made.filters["plain"] = lambda code: str(code).replace("_", " ")
    made.filters["shown"] = lambda text: visible(str(text or ""))
    return made


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a piece of one. A page over a made-up history says so."""
    made_up = note_of(request.app.state.counter.place.settings.workspace)
    given = {"path": request.url.path, "made_up": made_up, **values}
    text = environment().get_template(template).render(given)
    return HTMLResponse(text, status_code=status)
