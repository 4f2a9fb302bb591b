"""Commands that create, list and revoke keys. Changes apply at once, also to a running service."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click

from index.cli.options import collection_name, index_option
from index.cli.printing import print_table, printable
from index.storage.layout import Layout
from service.auth.keys import READ_ONLY, SCOPES, Key, Keyring, Scope

F = TypeVar("F", bound=Callable[..., object])

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LONGEST_TOKEN = timedelta(days=7)
WAY_BACK = "To make one, here or on any machine that can write to the index folder: pincite keys make --scope admin"


def collections_option(command: F) -> F:
    return click.option(
        "--collection",
        "collections",
        envvar="PINCITE_COLLECTION",
        show_envvar=True,
        multiple=True,
        callback=lambda context, parameter, names: tuple(collection_name(context, parameter, name) for name in names),
        help="Limit to this collection; repeatable.  [default: all]",
    )(command)


def name_option(command: F) -> F:
    return click.option(
        "--name", envvar="PINCITE_NAME", show_envvar=True, default="", help="A name to show in the list."
    )(command)


@click.group(name="keys")
def keys_command() -> None:
    """Create, list and revoke the API keys of an index.

    Once there is a key, the service rejects every call without one, from this machine too. That stays so when the last
    key is revoked or has expired. Whoever can write to the index folder can then make another, which is good at once:
    pincite keys make --scope admin
    """


@keys_command.command(name="make")
@index_option
@click.option(
    "--scope",
    "scopes",
    envvar="PINCITE_SCOPE",
    show_envvar=True,
    multiple=True,
    type=click.Choice(SCOPES),
    default=READ_ONLY,
    show_default=True,
    help="Permission: ask; read documents; write them; admin: all of these, and collections. Repeatable.",
)
@collections_option
@click.option(
    "--expires",
    envvar="PINCITE_EXPIRES",
    show_envvar=True,
    help="Expiry: 12h, 30d, or a date such as 2030-01-31.  [default: never]",
)
@name_option
def make_key(
    *, index: Path, scopes: tuple[Scope, ...], collections: tuple[str, ...], expires: str | None, name: str
) -> None:
    """Create a key and print it.

    The key is shown only once: the index stores a hash. Clients send it as `Authorization: Bearer KEY`.
    """
    end = None if expires is None else ending(expires)
    text, key = keyring(index).make(scopes, collections=collections, name=name, expires=end)
    hand_over(text, key)


@keys_command.command(name="embed")
@index_option
@click.option(
    "--origin",
    envvar="PINCITE_ORIGIN",
    show_envvar=True,
    required=True,
    help="The origin of the pages, such as https://example.com.",
)
@collections_option
@click.option(
    "--expires",
    envvar="PINCITE_EXPIRES",
    show_envvar=True,
    default="1h",
    show_default=True,
    help="Expiry: 15m, 1h; at most 7 days.",
)
@name_option
def make_token(*, index: Path, origin: str, collections: tuple[str, ...], expires: str, name: str) -> None:
    """Create a token for pages of one origin and print it.

    It can ask and read, and while it is valid, browsers let pages of that origin use the service. Everyone who sees the
    page can read the token, so choose a short expiry.
    """
    from service.origins import origin_of

    end = ending(expires)
    if end > datetime.now(UTC) + LONGEST_TOKEN:
        raise click.BadParameter("a token can be valid for at most 7 days.", param_hint="'--expires'")
    page = origin_of(origin, "--origin")
    hand_over(*keyring(index).make(READ_ONLY, collections=collections, origin=page, name=name, expires=end))


@keys_command.command(name="list")
@index_option
def list_keys(index: Path) -> None:
    """List the keys and tokens of an index, without their secrets."""
    now = datetime.now(UTC)
    rows = [row_of(key, now) for key in keyring(index).listed()]
    print_table(("id", "name", "scopes", "collections", "origin", "made", "expires"), rows)


@keys_command.command(name="revoke")
@click.argument("ids", nargs=-1, required=True)
@index_option
def revoke_keys(ids: tuple[str, ...], index: Path) -> None:
    """Revoke keys or tokens by their ids, which `pincite keys list` shows; the id is the middle part of a key.

    The next request with a revoked key is rejected.
    """
    ring = keyring(index)
    for number in ids:
        ring.revoke(number)
        click.echo(f"Revoked: {number}")
    if not ring.usable():
        click.echo(f"No key is left, so the service rejects every call that needs one. {WAY_BACK}", err=True)


def keyring(index: Path) -> Keyring:
    return Keyring(Layout(index).keys)


def hand_over(text: str, key: Key) -> None:
    """Print only the key to standard output, so that scripts can use it."""
    end = "It does not expire" if key.expires is None else f"It expires at {time_of(key.expires)}"
    click.echo(f"Key {key.id}. {end}. It is not shown again:", err=True)
    click.echo(text)


def row_of(key: Key, now: datetime) -> tuple[str, ...]:
    ends = "never" if key.expires is None else time_of(key.expires)
    return (
        key.id,
        printable(key.name),
        ", ".join(key.scopes),
        ", ".join(key.collections or ["all"]),
        key.origin or "",
        time_of(key.made),
        f"{ends} (expired)" if key.expired(now) else ends,
    )


def ending(text: str) -> datetime:
    """A future time: a duration from now, or an ISO date or time, in UTC by default.

    >>> ending("90m") - datetime.now(UTC)
    datetime.timedelta(seconds=5400)
    """
    now = datetime.now(UTC)
    try:
        if span := re.fullmatch(r"([0-9]{1,9})([smhdw])", text):
            end = now + timedelta(seconds=int(span[1]) * SECONDS[span[2]])
        else:
            moment = datetime.fromisoformat(text)
            end = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter("a duration or date like 12h, 30d or 2030-01-31.", param_hint="'--expires'") from None
    if end <= now:
        raise click.BadParameter("that is in the past.", param_hint="'--expires'")
    return end


def time_of(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
