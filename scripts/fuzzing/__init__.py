"""Byte mutants of real COGs, judged by the check and by two other readers in processes of their own."""
