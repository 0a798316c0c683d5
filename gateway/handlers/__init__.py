"""HTTP in, HTTP out: the only asynchronous room."""
