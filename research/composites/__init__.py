"""The composite films of data_samples/."""
