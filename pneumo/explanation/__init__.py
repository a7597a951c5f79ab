"""Heat maps of a film that was assessed, what they show, and how far to trust them."""

from pneumo.explanation.explainer import HeatMap, explain

__all__ = ["HeatMap", "explain"]
