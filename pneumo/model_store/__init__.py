"""Trained models on disk: ``models/<name>/`` with card, weights, history and predictions; listed without Keras."""
