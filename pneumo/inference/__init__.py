"""The life of one film: the lungs are found, the gate checks it, a classifier assesses it, similar cases are sought."""
