"""Evaluation of predictions, from arrays: metrics, intervals, curves, comparison, calibration, use at a clinic.

No file and no model is read here. Patients are the units of every interval.
"""
