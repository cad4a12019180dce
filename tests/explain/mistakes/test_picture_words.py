"""What stands under a picture can be asked for: it gives this picture and no other."""

from collections.abc import Iterable

import numpy as np
import pytest

from cnnlab.explain import mistakes_of
from cnnlab.explain.chosen_pictures import chosen_pictures
from cnnlab.explain.picture_names import id_beside, picture_word
from cnnlab.reports.contents import explain_mistakes as contents
from cnnlab.reports.contents.explain_mistakes import CaptionedPicture, PictureGroup
from cnnlab.runs import Run


def of(groups: Iterable[PictureGroup]) -> list[CaptionedPicture]:
    return [picture for group in groups for picture in group.pictures]


def test_every_picture_of_a_gallery_is_the_one_that_its_word_asks_for(learning: Run) -> None:
    found = mistakes_of(learning)
    assert found.learning is not None
    shown = [
        *of(contents.mistake_groups(found.surest)),
        *of(contents.mistake_groups(found.by_pair)),
        *(picture for errors in found.label_errors.values() for picture in of(contents.label_error_groups(errors))),
        *of(contents.learning_groups(found.learning)),
    ]
    asked = chosen_pictures(learning, [picture.called for picture in shown])
    assert len(shown) > 40 and asked.names == tuple(picture.called for picture in shown)
    assert (asked.pixels.numpy() == np.stack([picture.pixels for picture in shown])).all()
    # The digits are divided by lot, so that their ids are other numbers than their places.
    assert {picture.id[:3] for picture in shown} == {"id "} and asked.ids == tuple(picture.id for picture in shown)


@pytest.mark.parametrize("table", ["mistakes", "label errors"])
def test_tables_name_pictures_by_the_same_words(learning: Run, table: str) -> None:
    found = mistakes_of(learning)
    made = {
        "mistakes": (contents.mistakes_table(found.surest), found.surest),
        "label errors": (contents.label_errors_table(found.label_errors["test"]), found.label_errors["test"]),
    }
    rows, page = made[table]
    assert [row[0] for row in rows.rows] == [f"test:{place}" for place in page.places]
    assert [row[1] for row in rows.rows] == [f"id {name}" for name in page.ids]


def test_an_id_stands_beside_only_where_it_says_more() -> None:
    assert picture_word("test", 57) == "test:57" and picture_word("train@out-of-fold", 3) == "out-of-fold:3"
    assert id_beside(57, "57") == "" and id_beside(57, "058") == "id 058" and id_beside(57, "cat/1.jpg") == "cat/1.jpg"
