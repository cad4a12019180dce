"""What every package of cnnlab stands on: errors, spec strings, registries, seeds, files.

Imports nothing of cnnlab outside this folder, and stays free of torch until a seed is drawn.
"""
