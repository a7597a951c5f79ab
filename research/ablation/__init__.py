"""The ablation of ingredients of training."""
