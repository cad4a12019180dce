"""How far maps can be trusted: whether they hang on the network, name the right pixels, and outlast another seed.

None of these measures says that a map is right, for nobody knows what a right one would be. Each can say that it is
not, or that one method does better than another, or than chance, at one thing.
"""
