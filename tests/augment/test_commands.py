"""What ``cnnlab augment`` takes and refuses."""

import io
import re

import pytest
from matplotlib.figure import Figure
from PIL import Image
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.cli.augment.preview import FigureOption
from cnnlab.reports.figures.style import save_figure


def cnnlab(*words):
    return CliRunner().invoke(app, ["augment", *words], prog_name="cnnlab")


@pytest.mark.parametrize(
    ("option", "remedy"), [(["--shape", "3x64x64"], "leave one out"), (["--batch", "32"], "batch_size=32")]
)
def test_what_a_recipe_says_is_refused_as_an_option_beside_it(option, remedy):
    result = cnnlab("cost", "flip", "data=digits", *option)
    assert result.exit_code == 2
    assert option[0] in result.stderr and remedy in result.stderr


def test_cost_without_a_recipe_is_of_colour_images_unless_told_otherwise():
    assert "256 × 3×32×32" in cnnlab("cost", "flip", "--repeats", "1").stdout
    told = cnnlab("cost", "flip", "--shape", "1x8x8", "--batch", "16", "--repeats", "1").stdout
    assert "16 × 1×8×8" in told


def test_cost_of_nothing_is_refused():
    result = cnnlab("cost", "none")
    assert result.exit_code == 2 and "nothing to time" in result.stderr


def test_list_answers_the_name_of_another_library_with_the_operation_meant():
    result = cnnlab("list", "RandomRotation")
    assert result.exit_code == 2 and "Did you mean rotate?" in result.stderr


def test_preview_writes_every_format_that_it_names(tmp_path):
    option = FigureOption.__metadata__[0]
    suffixes = re.findall(r"\.[a-z]+", option.help.partition(":")[2])
    assert {".png", ".jpg", ".svg", ".pdf"} <= set(suffixes)
    for suffix in suffixes:
        content = save_figure(Figure(figsize=(1, 1)), tmp_path / f"grid{suffix}").read_bytes()
        if suffix in (".svg", ".pdf"):
            assert content.lstrip().startswith(b"%PDF" if suffix == ".pdf" else b"<?xml")
        else:
            with Image.open(io.BytesIO(content)) as image:
                assert image.format == Image.registered_extensions()[suffix]
