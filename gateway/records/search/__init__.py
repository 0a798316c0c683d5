"""How datasets are searched for: which way through the indexes, and the SQL of it, one dialect for each database."""
