"""From a film's pixels to a model's input, as arrays: squares, crops, aspect ratio and augmentation.

Training and prediction take the same path. No file is read here and no network is asked.
"""
