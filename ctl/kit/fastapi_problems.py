"""Every refusal of a FastAPI app leaves as problem+json: ours, a body that does not fit, an unknown path. What fails is answered at the door."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ctl.kit.problem import MEDIA_TYPE, Problem


def answer_problems(app: FastAPI) -> None:
    """Teach `app` to answer every refusal as problem+json."""

    @app.exception_handler(Problem)
    async def refused(_: Request, problem: Problem) -> JSONResponse:
        return problem_answer(problem)

    @app.exception_handler(RequestValidationError)
    async def misfit(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem_answer(from_validation(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        remedy = "GET /openapi.json lists the routes of this service"
        return problem_answer(Problem(error.status_code, "http_error", f"{request.method} {request.url.path}: {error.detail}", remedy=remedy))


def from_validation(error: RequestValidationError) -> Problem:
    """Say which fields do not fit and why, all at once."""
    errors = [{"field": _field(row), "problem": str(row["msg"])} for row in error.errors()]
    detail = "; ".join(f"{row['field']}: {row['problem']}" for row in errors)
    return Problem(422, "bad_input", detail, remedy="correct the named fields and send it again; nothing was changed", errors=errors)


def _field(row: Any) -> str:
    place = [str(step) for step in row["loc"] if step != "body"]
    return ".".join(place) if place and row["type"] != "json_invalid" else "body"


def problem_answer(problem: Problem) -> JSONResponse:
    """Return a problem as the answer to a request."""
    return JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers(), media_type=MEDIA_TYPE)
