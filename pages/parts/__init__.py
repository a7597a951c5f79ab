"""Pieces of a page that would make its script too long."""
