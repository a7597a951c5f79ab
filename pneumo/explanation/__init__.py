"""Heat maps of an assessment, what they show, and how far to trust them."""
