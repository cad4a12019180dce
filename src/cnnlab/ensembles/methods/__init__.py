"""Methods of making an ensemble, by name; a file for each kind, which registers what it holds."""

from cnnlab.ensembles.methods import convex as convex
from cnnlab.ensembles.methods import greedy as greedy
from cnnlab.ensembles.methods import several_views as several_views
from cnnlab.ensembles.methods import snapshots as snapshots
from cnnlab.ensembles.methods import stacking as stacking
from cnnlab.ensembles.methods import swarm as swarm
from cnnlab.ensembles.methods import unfitted as unfitted
from cnnlab.ensembles.methods import weight_averages as weight_averages
from cnnlab.ensembles.methods.base import Combining, Made, Method, Surroundings, methods

__all__ = ["Combining", "Made", "Method", "Surroundings", "methods"]
