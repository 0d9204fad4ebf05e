"""The gateway's FastAPI application: its routes and its middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import APIRouter, FastAPI

from ... import __version__
from .byzer.routes import router as byzer
from .chat2db.routes import router as chat2db
from .console.ask_question import router as console_questions
from .console.overview import router as console_overview
from .console.page import router as console_page
from .console.statements import router as console_statements
from .docs_pages import DESCRIPTION, add_pages
from .error_handlers import add_error_handlers
from .error_replies import ERRORS
from .error_styles import error_styles
from .health import router as health
from .openai.chat_completions import router as chat
from .openai.embeddings import router as embeddings
from .openai.models import router as models
from .request_limits import RequestLimitsMiddleware
from .settings import GatewaySettings
from .state import Gateway
from .text2sql import router as questions

try:
    from .mcp import routes as mcp
except ModuleNotFoundError as error:  # The extra `mcp` is not installed.
    if not (error.name or "").startswith("mcp"):
        raise
    mcp = None  # type: ignore[assignment]

# Each router has its own file; a route that calls models takes `context: Admitted`.
CONSOLE: tuple[APIRouter, ...] = (console_page, console_overview, console_questions, console_statements)
ROUTERS: tuple[APIRouter, ...] = (chat, embeddings, models, health, questions, chat2db, byzer, *CONSOLE)
ROUTERS += (mcp.router,) if mcp is not None else ()


def create_app(settings: GatewaySettings) -> FastAPI:
    """Return the application of one gateway process.

    Raises:
        SetupError: no cluster answers, or the keys' file cannot be read.
    """
    gateway = Gateway(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with mcp.serving_mcp(app, gateway) if mcp is not None else nullcontext():
            yield
        gateway.close()

    app = FastAPI(
        lifespan=lifespan,
        title="quackllm",
        version=__version__,
        description=DESCRIPTION,
        responses=ERRORS,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.gateway = gateway
    app.state.error_styles = error_styles([route for router in ROUTERS for route in router.routes])
    add_error_handlers(app)
    app.add_middleware(RequestLimitsMiddleware, settings=settings, metrics=gateway.metrics)
    for router in ROUTERS:
        app.include_router(router)
    add_pages(app)
    return app
