"""Weights: how much of something (households, people, dwellings) each unit holds. The door is `load`."""

from __future__ import annotations

from etl.weights.load import load

__all__ = ["load"]
