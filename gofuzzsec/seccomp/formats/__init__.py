"""Reading and writing profiles: one module a format."""
