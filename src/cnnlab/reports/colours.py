"""The colours of all figures."""

# Told apart by people who see colours otherwise too (Okabe and Ito, Color Universal Design, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#333333"
SOFT = "#777777"
GREY = "#8A8A8A"
"""Of settings that figures show as background."""
FAINT = "#DDDDDD"
PAPER = "#FFFFFF"
GOOD, BAD = "#007A5A", "#B34700"
