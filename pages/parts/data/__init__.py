"""Parts of the pages about films."""
