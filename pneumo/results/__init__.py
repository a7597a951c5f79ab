"""Results of trained models: leaderboard, comparison, curves, failures, model card, published systems."""
