"""Formats of files: images, arrays, archives and folders, read without trusting them."""
