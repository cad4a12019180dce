"""The keys of a recipe that hold spec strings, by name alone: what they are parsed by takes seconds to load."""

SPECS = ("data", "model", "objective", "augment", "adversary", "optimizer", "schedule", "normalize")
