"""pantau alerts"""

import click


@click.group()
def alerts() -> None:
    """Say who wants to know what, and send it to them.

    Example: pantau alerts rules
    """
