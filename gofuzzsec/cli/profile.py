import click


@click.group()
def profile() -> None:
    """TODO"""
