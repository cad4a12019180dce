"""How the trials of a study are carried out: fixed once, at its first start, from what this machine does best."""

from collections.abc import Mapping
from typing import Any

from cnnlab.core.machine import usable_cores
from cnnlab.core.messages import note
from cnnlab.studies.execution.executor import Executor, Throughput
from cnnlab.training import Recipe
from cnnlab.training.execution import execution_for, kernels_at_hand, precision_at_hand

_CLEARLY_FASTER = 1.05
ASKED = ("device", "precision", "threads", "compile", "kernels")


def execution_keys(recipe: Recipe) -> dict[str, Any]:
    """What the study's base says of how to carry trials out."""
    return {key: getattr(recipe, key) for key in ASKED}


def parallelism_choices(recipe: Recipe, trials: int, workers: int | None) -> list[tuple[int, int]]:
    """The pairs of trials at once and threads of each that are worth timing.

    :param trials: that are left to train; there is no use in more at once.
    :param workers: how many at once, where a person says so.
    """
    cores = usable_cores()
    if workers is not None:
        return [(workers, recipe.threads or max(1, cores // workers))]
    device = execution_for(device=recipe.device, precision="float32", threads=1, workers=1, compile=False).torch_device
    if device.type != "cpu":
        return [(1, recipe.threads or cores)]
    if recipe.threads is not None:
        most = max(1, min(trials, cores // recipe.threads))
        return [(count, recipe.threads) for count in dict.fromkeys((1, most))]
    halves = {1: cores}
    count = 2
    while count <= min(cores, trials):
        halves[count] = cores // count
        count *= 2
    if cores <= trials:
        halves[cores] = 1
    return list(halves.items())


def choose_parallelism(executor: Executor, recipe: Recipe, choices: list[tuple[int, int]]) -> dict[str, Any]:
    """The execution for all trials: of the choices the fastest, timed where there are several or a format is open.

    What other machines have is seen there alone, so that steps are timed on one of these in any case.

    :param recipe: one of the study's, which is to stand for all.
    """
    if executor.is_local and len(choices) == 1 and recipe.precision != "auto":
        at_once, threads = choices[0]
        fixed = execution_for(
            device=recipe.device,
            precision=recipe.precision,
            threads=threads,
            workers=threads,
            compile=recipe.compile,
            kernels=recipe.kernels,
        ).to_dict()
        return _fixed(fixed, at_once)
    if executor.is_local:
        note("Timing a few steps, to see how many trials at once this machine does best.")
    else:
        note("Timing a few steps on the cluster, to see how trials are carried out there.")
    plain = recipe.to_dict()
    paces = [executor.pace(plain, at_once, threads) for at_once, threads in choices]
    best = _best(paces)
    shown = ", ".join(f"{pace.at_once} × {pace.threads}: {pace.images_per_second:,.0f}" for pace in paces)
    note(f"Images per second by trials at once × threads of each: {shown}. Taken: {best.at_once} × {best.threads}.")
    timed = {f"{pace.at_once}x{pace.threads}": round(pace.images_per_second, 1) for pace in paces}
    fixed = _fixed({**best.execution, "threads": best.threads}, best.at_once)
    return {**fixed, "precision_choice": dict(best.choice), "timed": timed}


def trial_recipe(recipe: Recipe, seed: int, execution: Mapping[str, Any], *, is_local: bool = True) -> dict[str, Any]:
    """The recipe of one trial, told how to be carried out.

    :param is_local: whether that is on this machine, which then may lack what the study was begun with.
    """
    keys: dict[str, Any] = {key: execution[key] for key in (*ASKED, "workers") if key in execution}
    if not is_local:
        # Each machine takes native ones where it has them.
        keys |= {"kernels": recipe.kernels} if keys.get("kernels") == "native" else {}
        return recipe.model_copy(update={**keys, "seed": seed}).to_dict()
    if "precision" in keys:
        device = str(keys.get("device") or "cpu")
        keys["precision"] = precision_at_hand(keys["precision"], recipe.precision, device)
    if keys.get("kernels") == "native" and recipe.kernels == "auto":
        # Those that the study was begun with, or torch's where it goes on without them.
        keys["kernels"] = kernels_at_hand("native")
    # On one device goes on, too, what somebody began on several.
    return recipe.model_copy(update={**keys, "seed": seed, "devices": 1}).to_dict()


def _best(paces: list[Throughput]) -> Throughput:
    best = paces[0]
    for pace in paces[1:]:
        # Fewer at once need less memory, and a single one is done sooner.
        if pace.images_per_second > _CLEARLY_FASTER * best.images_per_second:
            best = pace
    return best


def _fixed(execution: Mapping[str, Any], at_once: int) -> dict[str, Any]:
    # Parts are a matter of each run's memory.
    kept = {key: value for key, value in execution.items() if key != "parts"}
    return {**kept, "workers": execution["threads"], "trials_at_once": at_once}
