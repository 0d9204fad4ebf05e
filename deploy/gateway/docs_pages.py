"""`/docs` and `/docs/zh`: every route, to read and to try, in English and Chinese; loads nothing from other servers."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from .docs_translations import CHINESE

DESCRIPTION = (
    "Every deployed model in OpenAI's dialect, and questions about databases. Send the API key as a bearer token. "
    "The same request has one answer, paid for once; `draw`, `seed` or `Cache-Control: no-cache` asks anew."
)
ASSETS = "/docs/assets"
TRANSLATED = frozenset({"summary", "description", "tags"})


def add_pages(app: FastAPI) -> None:
    """Add both pages, their OpenAPI documents, and Swagger UI's files (Apache-2.0) from their package."""
    app.openapi_url = "/openapi.json"
    app.mount(ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")), "assets")

    @cache
    def translated() -> dict[str, Any]:
        return in_chinese(app.openapi())

    @app.get("/openapi.json", include_in_schema=False)
    async def english() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/openapi.zh.json", include_in_schema=False)
    async def chinese() -> JSONResponse:
        return JSONResponse(translated())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return _page("/openapi.json", "quackllm")

    @app.get("/docs/zh", include_in_schema=False)
    async def docs_zh() -> HTMLResponse:
        return _page("/openapi.zh.json", "quackllm 接口文档")


def _page(document: str, title: str) -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url=document,
        title=title,
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
    )


def in_chinese(document: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI document with its summaries, descriptions and tags in Chinese, if they are translated."""

    def translated(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {inner: translated(inner, inner_value) for inner, inner_value in value.items()}
        if isinstance(value, list):
            return [translated(name, inner_value) for inner_value in value]
        return CHINESE.get(value, value) if name in TRANSLATED and isinstance(value, str) else value

    found: dict[str, Any] = translated("", document)
    return found
