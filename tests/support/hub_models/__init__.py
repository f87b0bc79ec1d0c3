"""Small models with random weights as a hub has them, one for each layout, with the answers of the torch modules they were exported from."""
