"""Refusals that only /v1 knows."""

from aiohttp import web


class Unprocessable(web.HTTPUnprocessableEntity):
    """A request that is well formed and still can't be carried out."""

    def __init__(self, text: str) -> None:
        super().__init__(text=text)
