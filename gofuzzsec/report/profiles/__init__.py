"""What the commands of ``gofuzzsec profile`` print: one module a command."""
