"""The app's pages, one script each."""
