"""Studies and makers of shipped artefacts, run by a maintainer; they import pneumo, and nothing imports them."""
