"""How well films are found inside pictures that hold more than one film, or a film and what lies around it."""
