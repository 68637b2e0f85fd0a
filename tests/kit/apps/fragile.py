"""A FastAPI service that fails in every way an app can."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import JSONResponse, StreamingResponse

from ctl.kit import health, log, serving

logger = log.logger("fragile")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    logger.info("lifespan begins")
    yield
    logger.info("lifespan ends")


app = FastAPI(lifespan=lifespan)
loans = APIRouter(prefix="/loans")


@loans.get("/{loan}")
def read(loan: str) -> dict[str, str]:
    logger.info("read", extra={"loan": loan})
    return {"loan": loan}


@loans.get("/{loan}/broken")
async def broken(loan: str) -> None:
    raise KeyError(loan)


@loans.get("/{loan}/torn")
async def torn(loan: str) -> StreamingResponse:
    def pieces() -> Iterator[bytes]:
        yield b"first"
        raise ValueError(loan)

    return StreamingResponse(pieces())


@loans.get("/{loan}/own")
async def own(loan: str) -> JSONResponse:
    return JSONResponse({"own": loan}, 500)


@loans.get("/{loan}/teapot")
async def teapot(loan: str) -> None:
    raise HTTPException(418, loan)


@app.post("/ready/{reason}")
async def unready(reason: str) -> None:
    health.unready(reason) if reason != "yes" else health.ready()


app.include_router(loans)
serving.serve(app)
