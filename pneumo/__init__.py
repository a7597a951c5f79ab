"""pneumo reads children's chest radiographs: pneumonia likely, unlikely, or cannot say.

A research demonstration, not a medical device. Importing the package does not import TensorFlow.
"""

import os

from pneumo.sentences import say

# TensorFlow reads this once, when it is first imported; without it every command prints a page of notices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"

DISCLAIMER = say("Research demonstration, not a medical device: a clinician reads the film and decides.")
