"""From values to pictures: stretch, colour maps, expressions, algorithms, formats."""
