"""What comes together is computed together, and says the same."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from cnnlab.data.formats.decode import Form
from cnnlab.evaluation import predictor_of
from cnnlab.evaluation.prediction.predict import PredictedColumn
from cnnlab.models import Classifier, build_network, canonical_model
from cnnlab.serving import Limits
from cnnlab.serving.batching import Batcher
from cnnlab.serving.engine import Answering, Answers, Pixels, TorchEngine, answered_by
from cnnlab.serving.metrics import Metrics
from cnnlab.serving.refusals import RefusedError


class Doubling:
    """Answers each picture of one pixel with twice its value, and waits to be let on."""

    platform, form = "test", Form((1, 1), channels=1)

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.is_let_on = threading.Event()
        self.fails = False

    def sample(self) -> Answers:
        return self.answer(np.zeros((1, 1, 1, 1), np.uint8))

    def answer(self, pixels: Pixels) -> Answers:
        self.batches.append(len(pixels))
        if len(self.batches) > 1:
            self.is_let_on.wait(10)
            if self.fails:
                raise RuntimeError("no memory")
        values = pixels.reshape(-1).astype(np.float32) * 2
        return Answers(values[:, None], {"label": PredictedColumn(values.tolist())})

    @contextmanager
    def opened(self) -> Iterator[Answering]:
        yield self.answer


Use = Callable[[Batcher, Doubling], Awaitable[Any]]


def used(use: Use, **limits: Any) -> Any:
    """What a function makes of a batcher whose first batch is held back."""

    async def run() -> Any:
        engine = Doubling()
        batcher = Batcher(engine, Limits(**{"batch": 4, **limits}), Metrics())
        batcher.start()
        try:
            return await use(batcher, engine)
        finally:
            engine.is_let_on.set()
            batcher.close()

    return asyncio.run(run())


def asking(batcher: Batcher, *values: int) -> "asyncio.Task[Answers]":
    async def ask() -> Answers:
        with batcher.coming() as coming:
            return await batcher.answer(coming, np.array(values, np.uint8).reshape(-1, 1, 1, 1))

    return asyncio.create_task(ask())


async def held_back(batcher: Batcher, engine: Doubling) -> "asyncio.Task[Answers]":
    """A request that is being computed until the engine is let on."""
    first = asking(batcher, 1)
    while len(engine.batches) < 2:
        await asyncio.sleep(0.001)
    return first


def test_what_waits_is_computed_together_and_everyone_gets_his_own() -> None:
    async def use(batcher: Batcher, engine: Doubling) -> list[list[float]]:
        asked = [await held_back(batcher, engine), asking(batcher, 2), asking(batcher, 3, 4), asking(batcher, 5)]
        asked += [asking(batcher, 6)]
        await asyncio.sleep(0)
        assert batcher.waiting == 5
        engine.is_let_on.set()
        answers = await asyncio.gather(*asked)
        # That of the first picture as it started, the one held back, four together, the rest.
        assert engine.batches == [4, 1, 4, 1] and batcher.waiting == 0
        return [list(each.columns["label"].predicted) for each in answers]

    assert used(use) == [[2], [4], [6, 8], [10], [12]]


def test_one_request_of_many_is_computed_in_parts() -> None:
    async def use(batcher: Batcher, engine: Doubling) -> list[float]:
        engine.is_let_on.set()
        said = await asking(batcher, *range(10))
        assert engine.batches == [4, 4, 4, 2]
        return said.outputs[:, 0].tolist()

    assert used(use) == [2 * value for value in range(10)]


def test_nobody_waits_where_nobody_else_has_asked() -> None:
    async def use(batcher: Batcher, engine: Doubling) -> float:
        engine.is_let_on.set()
        began = time.monotonic()
        await asking(batcher, 1)
        return time.monotonic() - began

    assert used(use, wait=1000) < 0.9


def test_a_picture_waits_for_one_that_is_on_its_way() -> None:
    async def use(batcher: Batcher, engine: Doubling) -> list[int]:
        engine.is_let_on.set()
        with batcher.coming() as coming:
            first = asking(batcher, 1)
            await asyncio.sleep(0.02)
            await batcher.answer(coming, np.zeros((1, 1, 1, 1), np.uint8))
        await first
        return engine.batches

    assert used(use, wait=1000) == [4, 2]


def test_a_full_queue_is_told_and_what_waits_is_answered() -> None:
    async def use(batcher: Batcher, engine: Doubling) -> None:
        first, second = await held_back(batcher, engine), asking(batcher, 2, 3)
        await asyncio.sleep(0)
        with pytest.raises(RefusedError) as caught:
            await asking(batcher, 4)
        assert caught.value.status == 503 and caught.value.headers == {"Retry-After": "1"}
        with pytest.raises(RefusedError) as caught:
            await asking(batcher, 1, 2, 3)
        engine.is_let_on.set()
        assert (await first).outputs.tolist() == [[2]] and (await second).outputs.tolist() == [[4], [6]]

    used(use, queue=2)


def test_what_nobody_waits_for_any_more_is_not_computed() -> None:
    async def use(batcher: Batcher, engine: Doubling) -> list[int]:
        first, second = await held_back(batcher, engine), asking(batcher, 2, 3, 4)
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        engine.is_let_on.set()
        await first
        await asking(batcher, 5)
        return engine.batches

    assert used(use) == [4, 1, 1]


def test_a_batch_that_fails_ends_no_thread() -> None:
    async def use(batcher: Batcher, engine: Doubling) -> None:
        first = await held_back(batcher, engine)
        engine.fails = True
        engine.is_let_on.set()
        with pytest.raises(RuntimeError, match="no memory"):
            await first
        engine.fails = False
        assert (await asking(batcher, 7)).outputs.tolist() == [[14]]

    used(use)


def test_what_cannot_even_be_put_together_ends_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(batcher: Batcher, engine: Doubling) -> None:
        first = await held_back(batcher, engine)
        with monkeypatch.context() as patch:
            patch.setattr(batcher._metrics, "computed", lambda *_: (_ for _ in ()).throw(MemoryError("none left")))
            engine.is_let_on.set()
            with pytest.raises(MemoryError, match="none left"):
                await first
        assert batcher.is_at_work
        assert (await asking(batcher, 7)).outputs.tolist() == [[14]]

    used(use)


def test_when_the_thread_ends_who_waits_is_told_and_who_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OSError("its device is gone")

    async def use(batcher: Batcher, engine: Doubling) -> None:
        first = await held_back(batcher, engine)
        second = asking(batcher, 2)
        await asyncio.sleep(0)
        with monkeypatch.context() as patch:
            patch.setattr(batcher, "_taken", fails)
            engine.is_let_on.set()
            assert (await first).outputs.tolist() == [[2]]
            with pytest.raises(RefusedError, match=r"answers no more.*its device is gone.*Start the server anew"):
                await second
        assert not batcher.is_at_work and batcher.waiting == 0
        with pytest.raises(RefusedError, match="answers no more"):
            await asking(batcher, 3)

    used(use)


def convnet() -> Classifier:
    torch.manual_seed(0)
    spec = canonical_model("conv(8)|bn|relu|pool(2)|conv(8)|relu|global_pool")
    network = build_network(spec, (3, 8, 8), 5)
    classes = {"label": ("a", "b", "c", "d", "e")}
    return Classifier(network, (3, 8, 8), [0.5] * 3, [0.25] * 3, classes, "classes(column=label)", spec).eval()


def test_a_picture_says_the_same_whatever_it_is_computed_with() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 3, 8, 8), dtype=np.uint8)
    with TorchEngine(predictor_of(convnet())).opened() as answer:
        alone = np.concatenate([answered_by(answer, pixels[i : i + 1], 8).outputs for i in range(8)])
        filled = [answered_by(answer, pixels[i : i + 1], 8, is_filled=True).outputs for i in range(8)]
        together = answered_by(answer, pixels, 8, is_filled=True).outputs
        backwards = answered_by(answer, pixels[::-1].copy(), 8, is_filled=True).outputs[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.array_equal(together, np.concatenate(filled)) and np.array_equal(together, backwards)
