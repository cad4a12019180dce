"""Trials on other machines than this one: Ray clusters, and those that Slurm gives out."""
