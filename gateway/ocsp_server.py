"""The OCSP responder over HTTP, on the loopback interface (RFC 6960 appendix A.1, POST)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.errors import EngineError

if TYPE_CHECKING:
    from gateway.ocsp import Responder

AGAIN = "/again"
"""The second address: who asks here was told `tryLater` at the first."""


class OcspServer:
    """Listens on a port of 127.0.0.1 that the kernel chooses."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def uris(self) -> list[str]:
        """Where charon is to ask, first and again."""
        return [f"http://127.0.0.1:{self._port}{path}" for path in ("/", AGAIN)]

    async def start(self) -> None:
        """Listen; nothing happens if it does already."""
        if self._runner:
            return
        application = web.Application()
        application.router.add_post("/", self._answer)
        application.router.add_post(AGAIN, self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise EngineError(f"cannot listen on 127.0.0.1: {error.strerror}") from error
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        body = await self._responder.answer(await request.read(), again=request.path == AGAIN)
        return web.Response(body=body, content_type="application/ocsp-response")
