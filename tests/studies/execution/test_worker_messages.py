"""What a worker makes of the words that come to it."""

import queue

import pytest
from small_studies import study_of

from cnnlab.core.errors import UsageError
from cnnlab.studies import Study
from cnnlab.studies.execution.worker import _answer


def test_an_end_that_comes_in_place_of_an_answer_ends_the_worker_too():
    inbox = queue.SimpleQueue()
    inbox.put(("end", None))
    assert not _answer(inbox)
    assert inbox.get_nowait()[0] == "end"


def test_a_setting_that_cannot_be_trained_is_named(runs):
    with pytest.raises(UsageError, match=r"the setting data=clocks\(n=100, size=32\): .*more than the 72 pictures"):
        Study(study_of(vary={"data": ["digits", "clocks(n=100, size=32)"]}), runs=runs).check()
