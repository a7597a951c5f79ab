"""How models come to be: films in memory, one loop for all networks, recipes, the search, and the folder that ships."""
