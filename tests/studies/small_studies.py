"""A study of seconds on digits, and how tests run it in this process."""

from typing import Any

from cnnlab.studies import Study, StudyResult, ThreadExecutor

BASE = {
    "data": "digits",
    "subset": 200,
    "model": "mlp(hidden=[8])",
    "optimizer": "sgd(lr=0.1)",
    "batch_size": 50,
    "epochs": 1,
    "precision": "float32",
    "threads": 1,
}


def study_of(**keys: Any) -> dict[str, Any]:
    """A study file's content with these keys over a small one."""
    small = {"question": "Which?", "name": "small", "base": BASE, "vary": {"optimizer.lr": [0.01, 0.5]}}
    return {**small, **keys}


def run_here(study: Study) -> StudyResult:
    """Runs a study without worker processes, and without timing how many there might be."""
    return study.run(executor=ThreadExecutor(runs=study.store.root, sets=study.trials.sets), workers=1)


def numbers(result: StudyResult) -> dict[tuple[str, int], dict[str, float | None]]:
    """Every metric but times, by setting and seed."""
    timed = ("seconds", "images_per_second")
    return {
        (setting.label, trial.seed): {k: v for k, v in trial.metrics.items() if k not in timed}
        for setting in result.settings
        for trial in setting.trials
    }
