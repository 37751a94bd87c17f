"""The version of the graphs that this release plans and can carry out. Pure."""

from __future__ import annotations

GRAPH = 1
"""Raise it with every change after which a worker of the release before could not do a planned step: a new kind, new
parameters or results. Steps carry the number; a worker claims none above its own (docs/decisions/0034)."""
