"""Every Altair chart of the pages."""
