"""What ``run.json`` may hold, field by field; the fields are described in :mod:`cnnlab.runs.record`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_Count = Annotated[int, Field(ge=0)]
_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Selected(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    epoch: _Count | None = None
    metric: str | None = None
    value: _Number | None = None


class _RunInfo(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    format: _Count
    digest: str | None = None
    name: str | None = None
    repeat: Annotated[int, Field(ge=1)] | None = None
    status: str | None = None
    started: str | None = None
    updated: str | None = None
    finished: str | None = None
    seconds: _Number | None = None
    epochs_done: _Count | None = None
    epochs: _Count | None = None
    step: _Count | None = None
    selected: _Selected | None = None
    scores: dict[str, dict[str, _Number | None] | None] | None = None
    execution: dict[str, Any] | None = None
    precision_choice: dict[str, Any] | None = None
    kernels_build: dict[str, Any] | None = None
    environment: dict[str, Any] | None = None
    data: dict[str, Any] | None = None
    parent: Any = None
    warnings: list[str] | None = None
    reason: str | None = None


def what_is_wrong(info: object) -> str | None:
    """The first field that does not fit, and why; None where all do."""
    try:
        _RunInfo.model_validate(info)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        return f"{place[:80]}: {first['msg'][:120]}"
    return None
