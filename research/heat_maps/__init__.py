"""The benchmark of heat maps."""
