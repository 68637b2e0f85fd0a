"""The HTTP API, version 1: routers, errors as problem documents, writes that happen once. Serves what it is handed, decides nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ctl.api import records, rollouts, services, system
from ctl.api.answering import Once
from ctl.api.backing import Backing
from ctl.api.following import Follower
from ctl.errors import BackendError, BadInput, CtlError, NotFound, problem

ABOUT = "Control plane and release automation. Errors are problem documents with `code`, `found` and `remedy`; writes take an `Idempotency-Key`."


def create(backing: Backing, version: str) -> FastAPI:
    """Return the ASGI application; its streams end when it shuts down, or at once with `app.state.follower.stop()`."""
    follower = Follower(backing.journal)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        follower.stop()

    app = FastAPI(title="msxfctl", version=version, description=ABOUT, lifespan=life, redirect_slashes=False, docs_url=None, redoc_url=None)
    app.state.backing, app.state.follower = backing, follower
    for module in (services, rollouts, records, system):
        app.include_router(module.router)
    app.add_exception_handler(CtlError, _refuse)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(Once, backing=backing)
    return app


def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CtlError)
    headers = {"retry-after": str(max(1, round(error.retry_after_s)))} if isinstance(error, BackendError) else {}
    if error.http_status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(problem(error), status_code=error.http_status, headers=headers, media_type="application/problem+json")


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    mistakes = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    bad = BadInput(f"{request.method} {request.url.path}: {mistakes[0]}", found="; ".join(mistakes), remedy="see /openapi.json for what this takes")
    return _refuse(request, bad)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _refuse(request, NotFound(f"there is nothing at {request.url.path}", remedy="see /openapi.json for what there is"))
    title = f"{request.method} {request.url.path}: {error.detail}"
    body = problem(BadInput(title, remedy="see /openapi.json for what this takes")) | {"status": error.status_code}
    return JSONResponse(body, status_code=error.status_code, media_type="application/problem+json")
