"""Films with labels: the Kaggle layout, other hospitals, MedMNIST; their checks, summary and shortcuts."""
