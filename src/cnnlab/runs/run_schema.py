"""What the records of a run may hold, field by field.

The fields of ``run.json`` are described in :mod:`cnnlab.runs.record`, those of predictions in
:class:`~cnnlab.runs.predictions.Predictions`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int, Field(ge=0)]
_Positive = Annotated[int, Field(ge=1, le=1 << 20)]
_DIGEST, _LONGEST_NAME = 64, 255
_Name = Annotated[str, Field(max_length=_LONGEST_NAME)]
_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Selected(_Facts):
    epoch: _Count | None = None
    metric: str | None = None
    value: _Number | None = None


class _Execution(_Facts):
    device: str | None = None
    precision: Literal["float32", "bfloat16", "float16"] | None = None
    channels_last: bool | None = None
    threads: _Positive | None = None
    workers: _Count | None = None
    parts: _Positive | None = None
    compile: bool | None = None
    kernels: Literal["native", "torch"] | None = None
    devices: _Positive | None = None
    sync_batchnorm: bool | None = None


class _PrecisionChoice(_Facts):
    precision: str | None = None
    why: str | None = None
    seconds: _Number | None = None


class _Build(_Facts):
    compiler: str | None = None
    version: str | None = None
    seconds: _Number | None = None


class _Environment(_Facts):
    python: str | None = None
    platform: str | None = None
    processor: str | None = None
    cores: int | None = None
    code: str | None = None


class _Node(_Facts):
    node: str
    processor: str | None = None
    torch: str | None = None
    step: _Count | None = None


class _Data(_Facts):
    name: str | None = None
    digest: str | None = None
    sizes: dict[str, _Count] | None = None
    notes: list[str] | None = None
    source: dict[str, Any] | None = None


class _Ensemble(_Facts):
    method: str
    members: list[_Name]
    needs: list[_Name]
    fitted_on: list[_Name] | None = None
    cross_fitted: list[_Name] | None = None


class _Transfer(_Facts):
    backbone: _Name
    layer: _Name
    classifier: _Name
    compared: _Count | None = None
    repeats: _Count | None = None


class _FrozenFeatures(_Facts):
    layer: _Name | None = None
    shape: list[_Count] | None = None
    views: _Count | None = None
    bytes: _Count | None = None
    seconds: _Number | None = None
    found: bool | None = None


class _Finding(_Facts):
    kind: str
    text: str


class _Diagnosis(_Facts):
    seen: str | None = None
    findings: list[_Finding] | None = None


class _LeftOut(_Facts):
    files: dict[
        Literal["model.safetensors", "last.safetensors", "backbone.safetensors", "pipeline.skops"],
        Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")],
    ]
    parameters: _Count | None = None


class RunRecord(_Facts):
    """The content of ``run.json``."""

    format: _Count
    digest: Annotated[str, Field(max_length=_DIGEST)] | None = None
    name: _Name | None = None
    repeat: Annotated[int, Field(ge=1)] | None = None
    status: Literal["unfinished", "finished", "failed"] | None = None
    started: str | None = None
    updated: str | None = None
    finished: str | None = None
    seconds: _Number | None = None
    frozen_features: dict[Annotated[str, Field(pattern=r"^[0-9]{1,6}$")], _FrozenFeatures | None] | None = None
    epochs_done: _Count | None = None
    epochs: _Count | None = None
    step: _Count | None = None
    selected: _Selected | None = None
    scores: dict[str, dict[str, _Number | None] | None] | None = None
    execution: _Execution | None = None
    precision_choice: _PrecisionChoice | None = None
    kernels_build: _Build | None = None
    environment: _Environment | None = None
    nodes: list[_Node] | None = None
    data: _Data | None = None
    objective: str | None = None
    given: dict[str, Any] | None = None
    parent: _Name | None = None
    ensemble: _Ensemble | None = None
    transfer: _Transfer | None = None
    diagnosis: _Diagnosis | None = None
    weights_left_out: _LeftOut | None = None
    warnings: list[str] | None = None
    reason: str | None = None


class _Phase(_Facts):
    model: str | None = None
    augment: str | None = None
    adversary: str | None = None
    optimizer: str | None = None
    schedule: str | None = None
    batch_size: _Count | None = None
    epochs: _Count | None = None
    steps: _Count | None = None
    label_smoothing: _Number | None = None
    weight_decay: _Number | None = None
    clip_gradient: _Number | None = None
    train: str | None = None
    rates: dict[str, _Number] | None = None
    layer_decay: _Number | None = None
    unfreeze: _Number | None = None
    norms: str | None = None
    weights: str | None = None


class RecipeRecord(_Phase):
    """Of ``recipe.yaml`` what is read without the recipe being understood, which only a training needs."""

    data: str | None = None
    objective: str | None = None
    normalize: str | None = None
    balance: str | None = None
    permute: _Count | None = None
    validation: _Number | None = None
    test: _Number | None = None
    subset: _Number | str | None = None
    quick: bool = False
    folds: _Count | None = None
    fold: _Count | None = None
    patience: _Count | None = None
    phases: list[_Phase] | None = None
    snapshots: list[_Count] | None = None
    seed: _Count | None = None
    parent: str | None = None
    name: str | None = None
    ensemble: str | None = None
    members: list[str] | None = None
    backbones: str | None = None
    layer: str | None = None
    classifiers: str | None = None
    search: str | None = None
    subsample: _Number | None = None
    cv: _Count | None = None
    metric: str | None = None
    repeats: _Count | None = None
    vary: str | None = None


class PredictionsHeader(_Facts):
    """What a file of predictions says beside its numbers."""

    kind: str
    format: _Count
    heads: list[str]
    columns: list[str]
    ids: list[str]
    objective: str
    classes: dict[str, list[str]]
    data: str
    split: str
    images: str | None = None
