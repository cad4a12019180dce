"""Attacks and fooling pictures made and written: figures with captions, and pictures as files."""
