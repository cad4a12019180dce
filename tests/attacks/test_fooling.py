"""Pictures that a model is sure of and wrong: noise, pictures that look the same, patterns, one change for all."""

import numpy as np
import pytest
import torch

import cnnlab
from cnnlab.attacks import from_noise, from_patterns, from_pictures, universal
from cnnlab.attacks.patterns import INPUTS, Pattern
from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset, TensorImages
from cnnlab.models import Classifier
from cnnlab.testing import check_tool, linear_classifier, tiny_image
from cnnlab.testing.model_tools import random_pixels, small_classifier


def net(shape: tuple[int, int, int] = (1, 8, 8)) -> Classifier:
    """A network of random weights that is sure of what it says."""
    model = small_classifier(shape).eval()
    with torch.no_grad():
        model.network.head.weight.mul_(20)  # type: ignore[union-attr, operator]
    return model


def sureness(model: Classifier, pixels: np.ndarray, target: int) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(model(torch.from_numpy(pixels)).softmax(1)[:, target])


class TestNoise:
    def test_the_model_is_sure_of_what_files_keep(self) -> None:
        model = net()
        found = from_noise(model, "owl", confidence=0.9, n=3)
        assert found.reached.all() and list(found.targets) == [2] * 3
        # As a file is read: bytes go in.
        np.testing.assert_allclose(sureness(model, found.rounded, 2), found.likelihood, atol=1e-5)
        assert (found.likelihood >= 0.9).all()
        np.testing.assert_allclose(found.pixels * 255, np.round(found.pixels * 255), atol=1e-3)
        assert found.pixels.min() >= 0 and found.pixels.max() <= 1

    def test_it_begins_as_noise_of_the_seed_and_takes_few_steps_to_little(self) -> None:
        first, again = (from_noise(net(), 2, n=2, confidence=0.8, seed=4) for _ in range(2))
        other, sure = (
            from_noise(net(), 2, n=2, confidence=0.8, seed=5),
            from_noise(net(), 2, n=2, confidence=0.99, seed=4),
        )
        np.testing.assert_array_equal(first.pixels, again.pixels)
        assert first.start is not None and other.start is not None and not np.allclose(first.start, other.start)
        assert abs(first.start.mean() - 0.5) < 0.1 and (sure.steps >= first.steps).all()

    def test_what_is_not_reached_is_told(self) -> None:
        found = from_noise(net(), "owl", confidence=0.999999, n=2, steps=1)
        assert not found.reached.any() and found.to_dict()["reached"] == 0

    def test_models_are_left_as_they_were_found(self) -> None:
        check_tool(lambda model, pixels: from_noise(model, 1, confidence=0.5, n=1, steps=3))

    @pytest.mark.parametrize(
        ("target", "options", "said"),
        [
            ("pig", {}, "no class pig"),
            (None, {}, "name the class that is to be seen, as in target=cat"),
            ("second", {}, "name a class"),
            ("owl", {"confidence": 1.0}, "below 1; got 1"),
            ("owl", {"n": 0}, "at least 1; got n=0"),
        ],
    )
    def test_what_cannot_be_meant_is_told(self, target: str | None, options: dict[str, float], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            from_noise(net(), target, **options)  # type: ignore[arg-type]


class TestPictures:
    def test_on_planes_the_change_is_hardly_longer_than_the_way_to_the_plane(self) -> None:
        model, picture = linear_classifier(), tiny_image()
        found = from_pictures(model, picture, "owl", confidence=0.5, steps=60)
        assert found.reached.all() and found.start is not None
        with torch.no_grad():
            inside = torch.autograd.functional.jacobian(lambda x: model(x)[0], picture)
        gradients, logits = inside.reshape(3, -1), model(picture)[0].detach()
        # Owl is to be above both others, and as likely as both together; to the plane of cat it is this far at least.
        gap, normal = logits[0] - logits[2], gradients[2] - gradients[0]
        least = float(gap / normal.norm())
        length = float(np.linalg.norm(found.pixels - found.start))
        assert least <= length + 0.01 and length < 2 * least

    def test_what_is_found_is_sure_and_less_than_what_the_usual_budget_takes(self) -> None:
        model, pixels = net(), random_pixels((1, 8, 8), 2)
        found = from_pictures(model, pixels, confidence=0.6, steps=15)
        assert found.reached.all()
        np.testing.assert_allclose(
            [sureness(model, found.rounded[[row]], target)[0] for row, target in enumerate(found.targets)],
            found.likelihood,
            atol=1e-5,
        )
        surer = from_pictures(model, pixels, confidence=0.95, steps=15)
        lengths = [np.linalg.norm((each.pixels - each.start).reshape(2, -1), axis=1) for each in (found, surer)]
        assert (lengths[0] < lengths[1]).all()

    def test_another_attack_may_be_used(self) -> None:
        found = from_pictures(net(), random_pixels((1, 8, 8), 2), confidence=0.4, attack="pgd(eps=0.5, steps=20)")
        assert found.reached.all()

    def test_a_picture_that_is_of_the_class_already_is_refused(self) -> None:
        with pytest.raises(UsageError, match="the picture is taken for cat already"):
            from_pictures(linear_classifier(), tiny_image(), "cat")
        with pytest.raises(UsageError, match="driven to one class"):
            from_pictures(linear_classifier(), tiny_image(), "all")
        with pytest.raises(UsageError, match="no class pig"):
            from_pictures(linear_classifier(), tiny_image(), "pig")

    def test_models_are_left_as_they_were_found(self) -> None:
        check_tool(lambda model, pixels: from_pictures(model, pixels[:1], confidence=0.4, steps=2))


class TestPatterns:
    def test_a_pattern_worked_by_hand(self) -> None:
        # The one channel is tanh of the sum, and the picture half of one more than tanh of that.
        pattern = Pattern(1, ("sigmoid",), ((0, INPUTS, 2.0), (3, INPUTS, -1.0)))
        x = np.linspace(-1, 1, 5)
        row = (1 + np.tanh(np.tanh(2 * x - 1))) / 2
        np.testing.assert_allclose(pattern.picture(3, 5)[0], np.tile(row, (3, 1)), rtol=1e-6)

    def test_a_node_in_the_midst_of_a_link_is_worked_out_before_what_it_leads_to(self) -> None:
        draw = np.random.default_rng(0)
        pattern = Pattern.drawn(3, draw)
        for _ in range(400):
            pattern = pattern.changed(draw)
            nodes = INPUTS + len(pattern.kinds)
            assert all(start < end and INPUTS <= end < nodes for start, end, _ in pattern.links)
            assert all(start < nodes - 3 for start, _, _ in pattern.links)
        picture = pattern.picture(6, 9)
        assert picture.shape == (3, 6, 9) and picture.min() >= 0 and picture.max() <= 1
        assert len(pattern.kinds) > 20

    def test_of_each_class_the_surest_is_kept_and_is_what_files_keep(self) -> None:
        model = net()
        found = from_patterns(model, confidence=0.9, generations=60)
        assert found.start is None and list(found.targets) == [0, 1, 2]
        for row, target in enumerate(found.targets):
            np.testing.assert_allclose(
                sureness(model, found.rounded[[row]], target)[0], found.likelihood[row], atol=1e-5
            )
        longer = from_patterns(model, confidence=0.9, generations=5)
        assert (longer.likelihood <= found.likelihood + 1e-6).all()

    def test_it_needs_no_gradient(self) -> None:
        model = net()
        model.has_gradient = False
        assert len(from_patterns(model, ["owl", "cat"], confidence=0.4, generations=3)) == 2
        with pytest.raises(UsageError, match="noise is driven along the gradient, and the outputs"):
            from_noise(model, "owl")

    def test_wrong_words_are_told(self) -> None:
        with pytest.raises(UsageError, match="no class pig"):
            from_patterns(net(), "pig")
        with pytest.raises(UsageError, match="generations is at least 1"):
            from_patterns(net(), generations=0)


def labelled(model: Classifier, count: int = 60) -> Dataset:
    pixels = (random_pixels((1, 8, 8), count) * 255).round().to(torch.uint8)
    with torch.no_grad():
        said = model(pixels).argmax(1)
    images = TensorImages(pixels, {"label": said}, {"label": ("cat", "dog", "owl")})
    return Dataset("random", train=images, validation=None, test=images)


class TestUniversal:
    def test_one_change_within_the_budget_fools_pictures_that_it_was_not_made_on(self) -> None:
        model = net()
        found = universal(model, labelled(model), "test", n=30, eps=0.2, passes=3)
        assert np.abs(found.perturbation).max() <= 0.2 + 1e-6 and found.made_on == 30 and len(found.labels) == 30
        changed = np.round((found.origin + found.perturbation).clip(0, 1) * 255).astype(np.uint8)
        with torch.no_grad():
            said = model(torch.from_numpy(changed)).argmax(1).numpy()
        np.testing.assert_array_equal(said, found.after.predicted)
        assert found.fooling_rate == pytest.approx((said != found.before.predicted).mean())
        assert found.clean_accuracy == 1 and found.fooling_rate > 0.3
        assert found.fooling_rate == pytest.approx(1 - found.robust_accuracy)

    def test_random_signs_of_the_size_fool_fewer(self) -> None:
        model = net()
        data = labelled(model)
        found = universal(model, data, "test", n=30, eps=0.2, passes=3)
        signs = np.random.default_rng(0).choice([-0.2, 0.2], (20, *found.perturbation.shape)).astype(np.float32)
        with torch.no_grad():
            rates = [
                float(
                    (model(torch.from_numpy((found.origin + each).clip(0, 1))).argmax(1).numpy() != found.labels).mean()
                )
                for each in signs
            ]
        assert found.fooling_rate > np.mean(rates)

    def test_on_planes_it_goes_where_all_pictures_are_fooled(self) -> None:
        model = linear_classifier()
        pixels = (tiny_image() * 255).round().to(torch.uint8).repeat(6, 1, 1, 1)
        images = TensorImages(pixels, {"label": torch.zeros(6, dtype=torch.long)}, {"label": ("cat", "dog", "owl")})
        data = Dataset("one", train=images, validation=None, test=images)
        found = universal(model, data, "test", n=3, norm="l2", eps=2.0, rate=1.0)
        assert found.seen == 1 and found.fooling_rate == 1 and found.passes == 1

    @pytest.mark.parametrize("options", [{"eps": -1.0}, {"n": 0}, {"rate": 0.0}, {"passes": 0}])
    def test_what_cannot_be_meant_is_told(self, options: dict[str, float]) -> None:
        model = net()
        with pytest.raises(UsageError, match="eps is at least 0"):
            universal(model, labelled(model, 4), "test", **options)  # type: ignore[arg-type]


def test_top_level_name_is_the_function() -> None:
    from cnnlab.attacks.api import attack

    assert cnnlab.attack is attack
