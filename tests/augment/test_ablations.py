"""A pipeline taken apart."""

from cnnlab.augment import ablations, canonical_pipeline


def test_each_alone_all_and_all_but_each():
    pipelines = ablations("flip|rotate(10)|erase")
    assert list(pipelines) == [
        "none",
        "only flip",
        "only rotate",
        "only erase",
        "all",
        "all but flip",
        "all but rotate",
        "all but erase",
    ]
    assert pipelines["none"] == "none"
    assert pipelines["only rotate"] == canonical_pipeline("rotate(10)")
    assert pipelines["all but rotate"] == canonical_pipeline("flip|erase")
    assert pipelines["all"] == canonical_pipeline("flip|rotate(10)|erase")


def test_what_would_be_the_same_is_there_once():
    assert list(ablations("none")) == ["none"]
    assert list(ablations("flip")) == ["none", "all"]
    assert list(ablations("flip|erase")) == ["none", "only flip", "only erase", "all"]
    assert len(set(ablations("flip|flip|erase").values())) == len(ablations("flip|flip|erase"))


def test_an_operation_that_stands_there_twice_is_numbered():
    pipelines = ablations("rotate(10)|flip|rotate(20)")
    assert pipelines["only rotate 2"] == canonical_pipeline("rotate(20)")
    assert pipelines["all but rotate 1"] == canonical_pipeline("flip|rotate(20)")
