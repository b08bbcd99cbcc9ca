"""Neural network ops."""

from __future__ import annotations
