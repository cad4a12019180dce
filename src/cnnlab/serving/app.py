"""The paths of a server: the Open Inference Protocol, pictures as they are, and numbers for Prometheus."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response

from cnnlab.core.machine import usable_cores
from cnnlab.core.sinks import for_terminal
from cnnlab.core.version import __version__
from cnnlab.evaluation.prediction.predict import PredictedColumn
from cnnlab.runs.record import json_value
from cnnlab.serving.access import Access
from cnnlab.serving.batching import Batcher, Coming
from cnnlab.serving.bodies import Bodies
from cnnlab.serving.engine import Answers, Engine, Pixels
from cnnlab.serving.limits import Limits
from cnnlab.serving.metrics import CONTENT_TYPE, Metrics
from cnnlab.serving.outputs import OutputTensor
from cnnlab.serving.pictures import decoded, picture_file
from cnnlab.serving.protocol import EXTENSIONS, HEADER_LENGTH, INPUT, VERSION, read_request, written_answer
from cnnlab.serving.refusals import RefusedError

_log = logging.getLogger("cnnlab")
_MODEL = "/v2/models/{model}"
_TOP = re.compile("[0-9]{1,6}")


@dataclass
class Service:
    """A model that is served, and all that answers are made with.

    :param name: of the model, as it stands in paths.
    :param outputs: the tensors it answers with, by name.
    :param top: how many classes ``/predict`` tells where it is not asked for another number.
    """

    name: str
    engine: Engine
    outputs: dict[str, OutputTensor]
    batcher: Batcher
    metrics: Metrics
    limits: Limits
    top: int = 5
    is_stopping: bool = False

    def __post_init__(self) -> None:
        self.bodies = Bodies(self.limits)
        self.decoders = ThreadPoolExecutor(usable_cores(), thread_name_prefix="cnnlab-decode")

    @property
    def is_ready(self) -> bool:
        """Whether what is asked now will be answered."""
        return not self.is_stopping and self.batcher.is_at_work

    def stop(self) -> None:
        """Says from now on that no more is answered."""
        self.is_stopping = True

    def close(self) -> None:
        """Ends the threads."""
        self.batcher.close()
        self.decoders.shutdown(cancel_futures=True)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a picture: channels, height and width."""
        form = self.engine.form
        height, width = form.size or (1, 1)
        return form.channels or 3, height, width

    async def answered(self, coming: Coming, pixels: Pixels) -> Answers:
        """What is said of the pictures of a request, in time.

        :raises RefusedError: 504 when it takes too long.
        """
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await self.batcher.answer(coming, pixels)
        except TimeoutError:
            raise self._too_late() from None

    async def decoded(self, file: bytes | bytearray) -> Pixels:
        """A picture as the model takes it, decoded beside what else is going on."""
        work = asyncio.get_running_loop().run_in_executor(
            self.decoders, decoded, file, self.engine.form, self.limits.pixels
        )
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await work
        except TimeoutError:
            raise self._too_late() from None

    def _too_late(self) -> RefusedError:
        return RefusedError(504, f"there was no answer within {self.limits.seconds:g} seconds.", {"Retry-After": "1"})


def application(service: Service) -> FastAPI:
    """The paths of a service; who may ask is checked in front of them."""
    # Pages that show what there is would fetch programs from elsewhere.
    app = FastAPI(title=f"cnnlab: {service.name}", version=__version__, docs_url=None, redoc_url=None)
    for path in (_MODEL, _MODEL + "/versions/{version}"):
        _add_model(app, service, path)

    @app.get("/v2", summary="What this server is")
    async def server_metadata() -> dict[str, Any]:
        return {"name": "cnnlab", "version": __version__, "extensions": list(EXTENSIONS)}

    @app.get("/v2/health/live", summary="Whether the server is there")
    async def live() -> dict[str, Any]:
        return {"live": True}

    @app.get("/v2/health/ready", summary="Whether the server answers; not any more while it stops")
    async def ready() -> Response:
        return _json({"ready": service.is_ready}, 200 if service.is_ready else 503)

    @app.get("/metrics", summary="Numbers for Prometheus")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @app.post("/predict", summary="What is in a picture: its file as the body, or in a form")
    async def predict(request: Request) -> Response:
        top = _top(request, service.top)
        with service.batcher.coming() as coming:
            async with service.bodies.of(request) as body:
                file = picture_file(body, request.headers.get("content-type", ""))
                pixels = await service.decoded(file)
            said = await service.answered(coming, pixels)
        facts = {name: _facts(column, top) for name, column in said.columns.items()}
        return _json({"model": service.name, **(next(iter(facts.values())) if len(facts) == 1 else facts)})

    for kind in (RefusedError, HTTPException, Exception):
        app.add_exception_handler(kind, _refusal)
    # Of paths that there are not, and of methods.
    app.add_exception_handler(404, _refusal)
    app.add_exception_handler(405, _refusal)
    return app


def _add_model(app: FastAPI, service: Service, path: str) -> None:
    """The paths of a model, with and without its version."""

    def check(model: str, version: str = VERSION) -> None:
        if model != service.name:
            raise RefusedError(404, f"there is no model {model!r}; this server has {service.name}.")
        if version != VERSION:
            raise RefusedError(404, f"{service.name} has no version {version!r}; it has {VERSION}.")

    @app.get(path, summary="What the model takes and gives")
    async def model_metadata(request: Request) -> dict[str, Any]:
        check(**request.path_params)
        return {
            "name": service.name,
            "versions": [VERSION],
            "platform": service.engine.platform,
            "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, *service.shape]}],
            "outputs": [tensor.metadata for tensor in service.outputs.values()],
            "parameters": {
                "layout": "NCHW",
                "labels": {tensor.name: list(tensor.labels) for tensor in service.outputs.values() if tensor.labels},
            },
        }

    @app.get(f"{path}/ready", summary="Whether the model answers")
    async def model_ready(request: Request) -> Response:
        check(**request.path_params)
        return _json({"name": service.name, "ready": service.is_ready}, 200 if service.is_ready else 503)

    @app.post(f"{path}/infer", summary="Tensors of pictures of the model's own size")
    async def infer(request: Request) -> Response:
        check(**request.path_params)
        with service.batcher.coming() as coming:
            # For as long as it is computed: pictures that came as bytes are a part of the body.
            async with service.bodies.of(request) as body:
                length = request.headers.get(HEADER_LENGTH)
                asked = read_request(body, length, service.shape, service.outputs, service.limits)
                said = await service.answered(coming, asked.pixels)
        content, length_of_json = written_answer(service.name, asked, said)
        if length_of_json is None:
            return Response(content, media_type="application/json")
        headers = {HEADER_LENGTH: str(length_of_json)}
        return Response(content, media_type="application/octet-stream", headers=headers)


def _facts(column: PredictedColumn, top: int) -> dict[str, Any]:
    """What is said of the one picture in a column."""
    facts: dict[str, Any] = {"predicted": column.predicted[0]}
    if len(column.confidence):
        facts["confidence"] = column.confidence[0]
    likely = [{"class": words[0], "probability": shares[0]} for words, shares in column.likeliest(top)]
    return facts | ({"top": likely} if likely else {})


def _top(request: Request, usual: int) -> int:
    said = request.query_params.get("top")
    if said is None:
        return usual
    if not _TOP.fullmatch(said) or int(said) < 1:
        raise RefusedError(400, f"top={said} is not how many classes are to be told.")
    return int(said)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(json_value(value), allow_nan=False)
    return Response(text, status, headers, media_type="application/json")


async def _refusal(request: Any, error: Exception) -> Response:
    """The answer to a request that is refused, or whose answer failed."""
    if isinstance(error, RefusedError):
        return _json({"error": error.reason}, error.status, error.headers)
    status = getattr(error, "status_code", 500)
    if status == 404:
        return _json({"error": "there is no such path; /v2 and /predict are answered."}, 404)
    if isinstance(error, HTTPException) or status != 500:
        return _json({"error": f"{getattr(error, 'detail', 'refused')}."}, status, getattr(error, "headers", None))
    return _json({"error": "the answer failed within the server, which has noted why."}, 500)


class Guard:
    """What stands in front of the paths: who may ask, and the count of what was answered."""

    def __init__(self, app: FastAPI, service: Service, access: Access) -> None:
        self._app, self._service, self._access = app, service, access

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """An application of ASGI."""
        if scope["type"] != "http":
            return
        began, code = time.perf_counter(), 0

        async def noting(message: Any) -> None:
            nonlocal code
            code = message.get("status", code)
            await send(message)

        try:
            self._access.check(scope)
            await self._app(scope, receive, noting)
        except RefusedError as refused:
            await (await _refusal(None, refused))(scope, receive, noting)
        except Exception as error:
            # It was answered with 500; what is told here of the request is its path alone.
            place = f"{scope['method']} {scope['path']}"
            _log.error(for_terminal(f"{place} failed: {type(error).__name__}: {error}"))
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._service.metrics.answered(route, code, time.perf_counter() - began)
