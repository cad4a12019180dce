"""What ``state.json`` of a study may hold, field by field; the fields are described in :mod:`cnnlab.studies.record`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int, Field(ge=0)]
_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Execution(_Facts):
    trials_at_once: Annotated[int, Field(ge=1)] | None = None
    threads: Annotated[int, Field(ge=1)] | None = None


class _Failure(_Facts):
    kind: str
    reason: str
    run: str | None = None


class _Step(_Facts):
    number: _Count
    drawn: dict[str, Any]
    state: Literal["asked", "complete", "pruned", "failed"]
    value: _Number | None
    epochs: _Count | None = None
    followed: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], _Number | None] | None = None
    rungs: dict[str, Any] | None = None


class StudyState(_Facts):
    """The content of the file."""

    format: _Count = 0
    started: str | None = None
    updated: str | None = None
    wall_seconds: _Number | None = None
    execution: _Execution | None = None
    asked: dict[str, Any] | None = None
    failures: dict[str, _Failure] = {}
    attempts: dict[str, _Count] = {}
    steps: list[_Step] = []
    led_by: str | None = None
