"""The page at `/` and its files: a browser gets the page, a program gets the addresses of the API."""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from .... import __version__
from ..error_replies import GatewayError

ASSETS = "/console/assets"
# Nothing runs, loads or connects except this gateway's own files and routes; no text can become HTML.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
SAFE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
ADDRESSES = {"models": "/v1/models", "openapi": "/openapi.json", "docs": "/docs", "console": "/"}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def root(request: HttpRequest) -> Response:
    """Return the page to a browser, and the addresses of the API to any other client."""
    if "text/html" in request.headers.get("Accept", ""):
        return _file("index.html", request)
    return JSONResponse({"name": "quackllm", "version": __version__, **ADDRESSES}, headers={"Vary": "Accept"})


@router.get(ASSETS + "/{name}")
async def asset(name: str, request: HttpRequest) -> Response:
    """Return one file of the page."""
    return _file(name, request)


@dataclass(frozen=True)
class _PageFile:
    """A file of the page, plain and compressed, and its ETag."""

    content: bytes
    zipped: bytes
    tag: str


@cache
def _read(name: str) -> _PageFile | None:
    """Return a file of the page; None if it has no file of that name."""
    folder = files(__package__) / "assets"
    found = next((file for file in folder.iterdir() if file.name == name), None)
    if found is None:
        return None
    content = found.read_bytes()
    tag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    return _PageFile(content, gzip.compress(content, mtime=0), tag)


def _file(name: str, request: HttpRequest) -> Response:
    found = _read(name)
    if found is None:
        raise GatewayError(404, f"the console has no file {name!r}", code="not_found")
    headers = {**SAFE_HEADERS, "Cache-Control": "no-cache", "ETag": found.tag, "Vary": "Accept, Accept-Encoding"}
    if request.headers.get("If-None-Match") == found.tag:
        return Response(status_code=304, headers=headers)
    kind = f"{mimetypes.guess_type(name)[0] or 'application/octet-stream'}; charset=utf-8"
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return Response(found.zipped, media_type=kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(found.content, media_type=kind, headers=headers)
