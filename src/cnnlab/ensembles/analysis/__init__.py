"""What is found out about an ensemble when it is made, from the outputs of its members alone."""

from cnnlab.ensembles.analysis.findings import Analysis as Analysis
