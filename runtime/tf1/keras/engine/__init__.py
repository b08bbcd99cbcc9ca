"""Layers as nodes of a graph, models made of them, and the loops that train them."""
