"""Which number formats a device has itself; the devices that are not here are faked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cnnlab.core import devices
from cnnlab.core.devices import best_device, check_device, has_native_bfloat16
from cnnlab.core.errors import UsageError

Fake = Callable[..., None]


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Makes the machine a processor of some kind; None for what its torch does not know how to ask."""

    def make(machine: str, avx512_bf16: bool | None, onednn: bool | None) -> None:
        monkeypatch.setattr(devices.platform, "machine", lambda: machine)
        monkeypatch.setattr(torch, "cpu", SimpleNamespace(**_answering("_is_avx512_bf16_supported", avx512_bf16)))
        # An operation that is not there raises when it is looked up, as with a build of torch without oneDNN.
        operations = SimpleNamespace(**_answering("_is_mkldnn_bf16_supported", onednn))
        monkeypatch.setattr(torch, "ops", SimpleNamespace(mkldnn=operations))
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)

    return make


def _answering(name: str, answer: bool | None) -> dict[str, Any]:
    return {} if answer is None else {name: lambda: answer}


@pytest.mark.parametrize(
    ("machine", "avx512_bf16", "onednn", "expected"),
    [
        ("x86_64", True, True, True),
        ("AMD64", True, True, True),
        # Held back by ONEDNN_MAX_CPU_ISA; without the instructions; a torch that cannot be asked.
        ("x86_64", True, False, False),
        ("x86_64", False, True, False),
        ("x86_64", None, True, False),
        ("x86_64", True, None, False),
        # The kernels of ARM processors know no gradients in bfloat16.
        ("arm64", True, True, False),
        ("aarch64", None, None, False),
        ("arm64", None, True, False),
    ],
)
def test_a_processor_has_bfloat16_where_instructions_and_kernels_are_there(
    machine: str, avx512_bf16: bool | None, onednn: bool | None, expected: bool, processor: Fake
) -> None:
    processor(machine, avx512_bf16, onednn)
    assert has_native_bfloat16("cpu") is expected


def test_of_mps_nothing_is_known() -> None:
    assert not has_native_bfloat16("mps")


@pytest.fixture
def old_and_new_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two CUDA devices, of which the second has bfloat16 and the first emulates it; the first is current."""
    current = [0]

    @contextmanager
    def device(place: torch.device) -> Iterator[None]:
        before, current[0] = current[0], current[0] if place.index is None else place.index
        try:
            yield
        finally:
            current[0] = before

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[0] or including_emulation)


@pytest.mark.usefixtures("old_and_new_card")
@pytest.mark.parametrize(("name", "expected"), [("cuda:0", False), ("cuda:1", True), ("cuda", False)])
def test_the_cuda_device_that_is_named_is_asked_for_what_it_does_not_emulate(name: str, expected: bool) -> None:
    assert has_native_bfloat16(name) is expected
    assert has_native_bfloat16(torch.device(name)) is expected
    # Whatever was asked, the current device stays what it was.
    assert has_native_bfloat16("cuda") is False


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device_is_an_accelerator_where_there_is_one(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == expected


def test_this_processor_answers() -> None:
    assert has_native_bfloat16("cpu") in (True, False)


def test_the_device_that_holds_no_numbers_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no device 'meta' here \(it holds shapes and no numbers\)\. Leave it out\."):
        check_device("meta", "Leave it out.")
    check_device("cpu", "")
