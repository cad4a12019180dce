"""What a trial's recipe says of how it is carried out."""

from cnnlab.studies.execution.parallelism import trial_recipe
from cnnlab.training import Recipe


def test_a_trial_is_trained_on_one_device_as_the_study_fixed_it() -> None:
    recipe = trial_recipe(Recipe.read({"data": "digits", "epochs": 2}), 3, {"threads": 2, "trials_at_once": 4})
    assert (recipe["devices"], recipe["threads"], recipe["seed"], recipe["epochs"]) == (1, 2, 3, 2)
    assert "trials_at_once" not in recipe
