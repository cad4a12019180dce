"""Layer strings, named architectures, and the classifier that wraps a network with all that it needs to be used."""

from cnnlab.models import arithmetic as arithmetic
from cnnlab.models import backbones as backbones
from cnnlab.models import basic_layers as basic_layers
from cnnlab.models import blocks as blocks
from cnnlab.models import course_models as course_models
from cnnlab.models import joined as joined
from cnnlab.models import plain_cnns as plain_cnns
from cnnlab.models import polar as polar
from cnnlab.models import resnets as resnets
from cnnlab.models.backbones import native_side, suitable_side
from cnnlab.models.classifier import Classifier
from cnnlab.models.classifier_files import load_classifier, save_classifier, stored_resampling, stored_shape
from cnnlab.models.cpu_kernels import build_record as kernels_build_record
from cnnlab.models.cpu_kernels import native_kernels
from cnnlab.models.cpu_kernels import why_not as why_no_native_kernels
from cnnlab.models.dry_run import network_without_weights, summary_without_weights
from cnnlab.models.features import features_of, find_layer
from cnnlab.models.folding import fold_batch_norms
from cnnlab.models.heads import Head, class_index, heads_of
from cnnlab.models.inference import autocast, batch_for, evaluating, outputs_of, outputs_of_batch, to_float
from cnnlab.models.initialisers import initialisers, starts_small
from cnnlab.models.layer_strings import layers
from cnnlab.models.networks import ModelSpec, architectures, build_network, canonical_model, parse_model
from cnnlab.models.own_networks import (
    OwnNetwork,
    check_network,
    fresh_network,
    give_network,
    recalled_network,
    remember_network,
    where_to_give,
)
from cnnlab.models.parts import Part, parts_of
from cnnlab.models.penalties import penalty
from cnnlab.models.perturbing import PairPerturbation, Perturbation, perturbed
from cnnlab.models.pixels import given_pixels, on_device
from cnnlab.models.predictable import Predictable, require_gradient
from cnnlab.models.pretrained_classifier import pretrained
from cnnlab.models.pretrained_weights import (
    StartingWeights,
    are_published,
    load_into,
    moments_for,
    starting_weights,
)
from cnnlab.models.summaries import LayerRow, NetworkSummary, multiply_adds, summary
from cnnlab.models.weights_digest import weights_digest

__all__ = [
    "Classifier",
    "Head",
    "LayerRow",
    "ModelSpec",
    "NetworkSummary",
    "OwnNetwork",
    "PairPerturbation",
    "Part",
    "Perturbation",
    "Predictable",
    "StartingWeights",
    "architectures",
    "are_published",
    "arithmetic",
    "autocast",
    "batch_for",
    "build_network",
    "canonical_model",
    "check_network",
    "class_index",
    "evaluating",
    "features_of",
    "find_layer",
    "fold_batch_norms",
    "fresh_network",
    "give_network",
    "given_pixels",
    "heads_of",
    "initialisers",
    "kernels_build_record",
    "layers",
    "load_classifier",
    "load_into",
    "moments_for",
    "multiply_adds",
    "native_kernels",
    "native_side",
    "network_without_weights",
    "on_device",
    "outputs_of",
    "outputs_of_batch",
    "parse_model",
    "parts_of",
    "penalty",
    "perturbed",
    "pretrained",
    "recalled_network",
    "remember_network",
    "require_gradient",
    "save_classifier",
    "starting_weights",
    "starts_small",
    "stored_resampling",
    "stored_shape",
    "suitable_side",
    "summary",
    "summary_without_weights",
    "to_float",
    "weights_digest",
    "where_to_give",
    "why_no_native_kernels",
]
