"""What a model's heat maps are worth; see README.md."""
