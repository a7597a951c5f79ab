"""What predictions are worth, from arrays: metrics, their intervals, curves, comparison, calibration, clinics.

No file and no model is read here. Patients are the units of every interval.
"""
