"""What is told of shipped models: leaderboard, comparison, curves, failures, model card, published systems."""
