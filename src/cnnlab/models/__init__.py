"""Layer strings, named architectures, and the classifier that wraps a network with all that it needs to be used."""

from cnnlab.models import basic_layers as basic_layers
from cnnlab.models import chains as chains
from cnnlab.models.classifier import Classifier
from cnnlab.models.classifier_files import load_classifier, save_classifier
from cnnlab.models.networks import architectures, build, canonical
from cnnlab.models.stacking import layers

__all__ = ["Classifier", "architectures", "build", "canonical", "layers", "load_classifier", "save_classifier"]
