"""What each method of attribution shows, and what it does not, in a sentence each."""

from collections.abc import Mapping

ATTRIBUTION_MEANINGS: Mapping[str, tuple[str, str]] = {
    "saliency": (
        "Where a small change of a pixel would change the score most.",
        "Whether the pixel speaks for the class or against it; a gradient is that of one point alone, and noisy.",
    ),
    "gradient-x-input": (
        "How much each pixel adds to the score, were the network linear around the picture.",
        "What black pixels mean, which get nothing; where the network bends, the shares do not add up.",
    ),
    "smoothgrad": (
        "Saliency averaged over noisy copies of the picture, with less speckle.",
        "What was averaged away, which the network may have used; how much noise is added is a choice.",
    ),
    "integrated-gradients": (
        "The score divided among the pixels, along the way from a baseline to the picture; the shares add up to the "
        "difference of the scores, but for a gap that is told.",
        "What is of the colour of the baseline, which gets nothing; another baseline is another question.",
    ),
    "gradient-shap": (
        "Integrated gradients averaged over random points of the way, from one baseline or several.",
        "How pixels act together; it is an estimate with noise of its own.",
    ),
    "guided-backpropagation": (
        "Which details feed what is active on the way to the score, for a ReLU lets only what is above 0 pass back.",
        "Reasons: it draws the picture's edges on networks that learned nothing, too, and hardly depends on the class.",
    ),
    "deconvnet": (
        "What the score sends back through the network, with a ReLU on the way back alone.",
        "What was active on the way there; as of guided backpropagation, hardly anything of one class.",
    ),
    "guided-grad-cam": (
        "The details of guided backpropagation where Grad-CAM is high, so that they are of one class.",
        "What Grad-CAM misses; and what it finds is drawn with edges that are not reasons.",
    ),
    "grad-cam": (
        "Which region speaks for the class, by the last feature maps, each weighed by its mean gradient.",
        "What speaks against; it is as coarse as these maps, and may light up places that do not change the score.",
    ),
    "grad-cam++": (
        "Grad-CAM with weights by place, so that small or several objects of a class are not outvoted.",
        "What speaks against; implementations disagree on its equation, and here it is the paper's 19.",
    ),
    "hirescam": (
        "Feature maps times their gradients, place by place: what each place adds, where only a linear layer follows.",
        "What is finer than the layer, and what later layers make of it where more than a linear one follows.",
    ),
    "layer-cam": (
        "Feature maps times what of their gradients is above 0, which can be read of early layers, too.",
        "What speaks against, since negative gradients are cut off.",
    ),
    "score-cam": (
        "Which region speaks for the class, by the score when only that of each feature map is seen; no gradient.",
        "What speaks against; the network is shown masked pictures such as it has never seen.",
    ),
    "ablation-cam": (
        "Which region speaks for the class, by what the score loses without each feature map; no gradient.",
        "Channels that stand in for one another, of which each counts for little.",
    ),
    "occlusion": (
        "What the score loses when a window of the picture is covered: a test of the picture itself, with no gradient.",
        "What is finer than the window; its size and colour decide what is seen, and it is itself something new to the "
        "network.",
    ),
    "rise": (
        "The mean of random masks, each counted by the score of what it leaves to be seen; no gradient.",
        "What is finer than its grid; with few masks it is noise.",
    ),
}
"""By method, what it shows and what it does not."""
