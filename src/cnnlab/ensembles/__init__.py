"""Many stored runs, one classifier: what they say combined, or their weights averaged, without training anything."""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.ensembles.api import ensemble as ensemble
    from cnnlab.ensembles.api import ensemble_digest as ensemble_digest
    from cnnlab.ensembles.classifier import EnsembleClassifier as EnsembleClassifier
    from cnnlab.ensembles.member_outputs import MemberOutputs as MemberOutputs
    from cnnlab.ensembles.member_outputs import side_by_side as side_by_side
    from cnnlab.ensembles.methods.base import Combining as Combining
    from cnnlab.ensembles.methods.base import Method as Method
    from cnnlab.ensembles.record import EnsembleRecord as EnsembleRecord
    from cnnlab.ensembles.record import read_record as read_record

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "api": ("ensemble", "ensemble_digest"),
        "classifier": ("EnsembleClassifier",),
        "member_outputs": ("MemberOutputs", "side_by_side"),
        "methods.base": ("Combining", "Method"),
        "record": ("EnsembleRecord", "read_record"),
    },
)
