"""How long each step takes, beside other ways to do it, and beside what this machine could do at best."""
