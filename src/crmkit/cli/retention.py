"""`crmkit retention run`: apply the policies of retention, or with `--dry-run` tell what they would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmkit.cli.command import add_command, say
from crmkit.cli.progress import counting

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.privacy.retain import Retained


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("retention", help="apply the policies of retention")
    parts = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    part = add_command(parts, "run", "apply them now", run)
    part.add_argument("--dry-run", action="store_true", help="count and change nothing")
    part.add_argument("--only", metavar="POLICY", action="append", default=[], help="may be repeated")


def run(args: Namespace) -> int:
    """Apply the enabled policies and print what each came to."""
    from crmkit.cli.target import open_crm
    from crmkit.errors import NotFound
    from crmkit.privacy.retain import apply_policies

    crm = open_crm(args)
    if unknown := sorted(set(args.only) - {policy.name for policy in crm.retention}):
        known = ", ".join(repr(policy.name) for policy in crm.retention) or "none"
        raise NotFound(f"no policy {', '.join(map(repr, unknown))} is enabled; enabled are: {known}")
    with counting("Applying policies") as advance:
        found = apply_policies(
            crm, dry_run=args.dry_run, only=args.only, told=lambda name, rows: advance(rows, name)
        )
    say(args, [_row(one) for one in found], _lines(found, args.dry_run))
    return 0


def _row(one: Retained) -> dict[str, Any]:
    policy = one.policy
    return {
        "policy": policy.name,
        "table": policy.table,
        "action": policy.action.value,
        "after_days": policy.after.days,
        "rows": one.rows,
        "held": one.held,
    }


def _lines(found: list[Retained], dry: bool) -> list[str]:
    if not found:
        return ["No policies are enabled; name them in settings={'core': {'retention': [...]}}."]
    done = {"delete": "deleted", "anonymise": "cleared", "erase": "erased"}
    would = "would be " if dry else ""
    return [
        f"{one.policy.name}: {one.rows} rows of {one.policy.table} {would}{done[one.policy.action]}"
        + (f", {one.held} kept by legal holds" if one.held else "")
        for one in found
    ]
