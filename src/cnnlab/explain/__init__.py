"""What a network looks at and what it learned: attributions, filters, activations, embeddings, mistakes.

Arrays first: every function takes a model and pictures and gives plain arrays with what is needed to read them; figures
are drawn from these by ``cnnlab.reports``. Models are left exactly as they were found.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.explain.activation_maps import Activations as Activations
    from cnnlab.explain.activation_maps import activations as activations
    from cnnlab.explain.attribution import ATTRIBUTIONS as ATTRIBUTIONS
    from cnnlab.explain.attribution import Attribution as Attribution
    from cnnlab.explain.attribution import attribute as attribute
    from cnnlab.explain.cams import ablation_cam as ablation_cam
    from cnnlab.explain.cams import grad_cam as grad_cam
    from cnnlab.explain.cams import grad_cam_plus_plus as grad_cam_plus_plus
    from cnnlab.explain.cams import hirescam as hirescam
    from cnnlab.explain.cams import layer_cam as layer_cam
    from cnnlab.explain.cams import score_cam as score_cam
    from cnnlab.explain.embedding.data_sets import DataSetComparison as DataSetComparison
    from cnnlab.explain.embedding.data_sets import embed_data_sets as embed_data_sets
    from cnnlab.explain.embedding.embed import Embedding as Embedding
    from cnnlab.explain.embedding.embed import embed as embed
    from cnnlab.explain.embedding.epochs import EmbeddingOverEpochs as EmbeddingOverEpochs
    from cnnlab.explain.embedding.epochs import embed_epochs as embed_epochs
    from cnnlab.explain.embedding.quality import MapQuality as MapQuality
    from cnnlab.explain.embedding.quality import map_quality as map_quality
    from cnnlab.explain.filter_kernels import Filters as Filters
    from cnnlab.explain.filter_kernels import filter_responses as filter_responses
    from cnnlab.explain.filter_kernels import filters as filters
    from cnnlab.explain.gradients import gradient_shap as gradient_shap
    from cnnlab.explain.gradients import gradient_times_input as gradient_times_input
    from cnnlab.explain.gradients import integrated_gradients as integrated_gradients
    from cnnlab.explain.gradients import saliency as saliency
    from cnnlab.explain.gradients import smoothgrad as smoothgrad
    from cnnlab.explain.guided import deconvnet as deconvnet
    from cnnlab.explain.guided import guided_backpropagation as guided_backpropagation
    from cnnlab.explain.guided import guided_channels as guided_channels
    from cnnlab.explain.guided import guided_grad_cam as guided_grad_cam
    from cnnlab.explain.honesty.mosaics import Mosaics as Mosaics
    from cnnlab.explain.honesty.mosaics import Pointing as Pointing
    from cnnlab.explain.honesty.mosaics import mosaics as mosaics
    from cnnlab.explain.honesty.mosaics import pointing as pointing
    from cnnlab.explain.honesty.randomisation import RandomisationTest as RandomisationTest
    from cnnlab.explain.honesty.randomisation import randomisation_test as randomisation_test
    from cnnlab.explain.honesty.ranking import MethodRanking as MethodRanking
    from cnnlab.explain.honesty.ranking import rank_methods as rank_methods
    from cnnlab.explain.honesty.removal import RemovalCurves as RemovalCurves
    from cnnlab.explain.honesty.removal import removal_curves as removal_curves
    from cnnlab.explain.honesty.seed_similarity import SeedSimilarity as SeedSimilarity
    from cnnlab.explain.honesty.seed_similarity import seed_similarity as seed_similarity
    from cnnlab.explain.masking import occlusion as occlusion
    from cnnlab.explain.masking import rise as rise
    from cnnlab.explain.maximization import Maximized as Maximized
    from cnnlab.explain.maximization import maximize as maximize
    from cnnlab.explain.mistakes.class_order import class_order as class_order
    from cnnlab.explain.mistakes.class_order import ordered_confusion as ordered_confusion
    from cnnlab.explain.mistakes.gallery import MistakePage as MistakePage
    from cnnlab.explain.mistakes.gallery import mistakes_by_pair as mistakes_by_pair
    from cnnlab.explain.mistakes.gallery import surest_mistakes as surest_mistakes
    from cnnlab.explain.mistakes.label_errors import LabelErrors as LabelErrors
    from cnnlab.explain.mistakes.label_errors import label_errors as label_errors
    from cnnlab.explain.mistakes.learning import LearningOrder as LearningOrder
    from cnnlab.explain.mistakes.learning import learning_order as learning_order
    from cnnlab.explain.mistakes.near_duplicates import NearDuplicate as NearDuplicate
    from cnnlab.explain.mistakes.near_duplicates import NearDuplicates as NearDuplicates
    from cnnlab.explain.mistakes.near_duplicates import near_duplicates as near_duplicates
    from cnnlab.explain.mistakes.overview import Mistakes as Mistakes
    from cnnlab.explain.mistakes.overview import mistakes_of as mistakes_of
    from cnnlab.explain.relu_units import DeadUnits as DeadUnits
    from cnnlab.explain.relu_units import dead_units as dead_units
    from cnnlab.explain.relu_units import dead_units_over_training as dead_units_over_training

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "activation_maps": ("Activations", "activations"),
        "attribution": ("ATTRIBUTIONS", "Attribution", "attribute"),
        "cams": ("ablation_cam", "grad_cam", "grad_cam_plus_plus", "hirescam", "layer_cam", "score_cam"),
        "embedding.data_sets": ("DataSetComparison", "embed_data_sets"),
        "embedding.embed": ("Embedding", "embed"),
        "embedding.epochs": ("EmbeddingOverEpochs", "embed_epochs"),
        "embedding.quality": ("MapQuality", "map_quality"),
        "filter_kernels": ("Filters", "filter_responses", "filters"),
        "gradients": ("gradient_shap", "gradient_times_input", "integrated_gradients", "saliency", "smoothgrad"),
        "guided": ("deconvnet", "guided_backpropagation", "guided_channels", "guided_grad_cam"),
        "honesty.mosaics": ("Mosaics", "Pointing", "mosaics", "pointing"),
        "honesty.randomisation": ("RandomisationTest", "randomisation_test"),
        "honesty.ranking": ("MethodRanking", "rank_methods"),
        "honesty.removal": ("RemovalCurves", "removal_curves"),
        "honesty.seed_similarity": ("SeedSimilarity", "seed_similarity"),
        "masking": ("occlusion", "rise"),
        "maximization": ("Maximized", "maximize"),
        "mistakes.class_order": ("class_order", "ordered_confusion"),
        "mistakes.gallery": ("MistakePage", "mistakes_by_pair", "surest_mistakes"),
        "mistakes.label_errors": ("LabelErrors", "label_errors"),
        "mistakes.learning": ("LearningOrder", "learning_order"),
        "mistakes.near_duplicates": ("NearDuplicate", "NearDuplicates", "near_duplicates"),
        "mistakes.overview": ("Mistakes", "mistakes_of"),
        "relu_units": ("DeadUnits", "dead_units", "dead_units_over_training"),
    },
)
