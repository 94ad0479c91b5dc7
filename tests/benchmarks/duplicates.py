"""Duplicates: the search among many messy contacts, the check of a new one, and both beside Splink on real data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from csv import DictReader
from datetime import date
from itertools import combinations, cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

from measure import Side, alternate
from messy import Messy
from places import Maker, Place
from report import Options, Row
from sqlalchemy import Engine, bindparam, create_engine, text

from crmkit import CRM, Contact, ContactPoint
from crmkit.contacts import PostalAddress
from crmkit.duplicates.keys import keys_of
from crmkit.duplicates.record import record_of
from crmkit.sql.duplicates import CANDIDATES, secret
from crmkit.transaction.bulk import batch

TITLE = "duplicates among messy contacts: found, checked at entry, and beside Splink on FEBRL"
CHECK_TARGET = 2.0
#: Seconds that a search should take, by how many contacts; in proportion between them.
SECONDS = {100_000: 10.0, 1_000_000: 60.0}
FEBRL = Path(__file__).resolve().parents[3] / "shared" / "data" / "febrl"

_AT_ONCE = 5_000
_BY_HAND = f"""
    SELECT c.id, c.name, c.given_name, c.family_name, c.kind, c.name_order, c.birth_date,
           p.kind, p.key, p.value, p.scope, p.parts, p.ordinal
    FROM (SELECT contact_id FROM crm_duplicate_keys WHERE key IN :keys
          GROUP BY contact_id ORDER BY count(*) DESC, contact_id LIMIT {CANDIDATES}) AS sharing
    JOIN crm_contacts AS c ON c.id = sharing.contact_id
    LEFT JOIN crm_contact_points AS p ON p.contact_id = c.id
"""
_FOUND = "the search is measured once, against the seconds that it may take"
_CHECKED = "by hand: the candidates and their points are fetched by keys at hand, and nothing is compared"
_SPLINK = "Splink on DuckDB, blocked by names, birth date and postcode, without the social security number"


def measure(make: Maker, options: Options) -> Iterator[Row]:
    """Yield the rows of the table for one database."""
    place, number = make(), options.turns(options.duplicates)
    crm = CRM(place.engine)
    crm.create_tables()
    people = Messy().people(number + 1_000)
    _fill(crm, (person.contact for person in islice(people, number)))
    _analyze(place.engine)
    new = [person.contact for person in people]
    yield _checked(crm, place, number, new, options)
    yield _searched(crm, place, number)
    if place.database == "sqlite":
        yield from _beside_splink(make, options)


def _fill(crm: CRM, contacts: Iterable[Contact]) -> None:
    contacts = iter(contacts)
    while page := list(islice(contacts, _AT_ONCE)):
        with crm.begin() as tx:
            at_once = batch(tx)  # two may have the same address
            at_once.look_up([point for contact in page for point in contact.points])
            for contact in page:
                at_once.add(contact)
            at_once.write()


def _analyze(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def _searched(crm: CRM, place: Place, number: int) -> Row:
    began = perf_counter()
    report = crm.find_duplicates()
    spent = perf_counter() - began
    allowed = _allowed(number)
    what = f"search among {number:,}: {report.pairs:,} pairs in {spent:.1f} s"
    sides = _once("allowed", allowed), _once("ours", spent)
    bound = 1.0 if number >= min(SECONDS) else None  # a fraction of the contacts says nothing of the target
    return Row.of("duplicates", place.database, what, *sides, at_most=bound, note=_FOUND)


def _allowed(number: int) -> float:
    small, large = sorted(SECONDS)
    if number <= small:
        return SECONDS[small]
    share = (number - small) / (large - small)
    return SECONDS[small] + share * (SECONDS[large] - SECONDS[small])


def _once(name: str, seconds: float) -> Side:
    """Return a side that was measured once already; its CPU is not known."""
    return Side(name, lambda: None, rounds=[[seconds * 1e9]], server_cpu=None)


def _checked(crm: CRM, place: Place, number: int, new: list[Contact], options: Options) -> Row:
    with place.engine.connect() as connection, crm.join(connection) as tx:
        statement = text(_BY_HAND).bindparams(bindparam("keys", expanding=True))
        under = secret(tx)
        keys = [keys_of(record_of(contact), under) for contact in new]

        def by_hand(place: int) -> Any:
            return connection.execute(statement, {"keys": keys[place]}).all()

        def ours(place: int) -> Any:
            return tx.duplicates.check(new[place])

        _agree(by_hand, ours, len(new))
        sides = [
            _turning(name, work, len(new), place.cpu)
            for name, work in (("by hand", by_hand), ("check", ours))
        ]
        alternate(*sides, rounds=options.rounds, turns=options.turns(300))
    what = f"check of a new contact against {number:,}"
    bound = CHECK_TARGET if place.database == "postgresql" else None
    return Row.of("duplicates", place.database, what, *sides, at_most=bound, note=_CHECKED)


def _turning(name: str, work: Callable[[int], Any], size: int, server: Callable[[], int | None]) -> Side:
    turns = cycle(range(size))
    return Side(name, lambda: work(next(turns)), server=server)


def _agree(by_hand: Callable[[int], Any], ours: Callable[[int], Any], size: int) -> None:
    """Refuse to measure unless every match is among the candidates found by hand, and some are found."""
    found = 0
    for number in range(min(size, 200)):
        candidates = {_id(row[0]) for row in by_hand(number)}
        matches = {match.contact_id for match in ours(number)}
        if not matches <= candidates:
            raise AssertionError(f"found by crmkit alone: {matches - candidates}")
        found += len(matches)
    if not found:
        raise AssertionError("nobody was found")


def _id(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(bytes=bytes(value))


# real data


def _beside_splink(make: Maker, options: Options) -> Iterator[Row]:
    try:
        import duckdb  # noqa: F401
        import splink  # noqa: F401
    except ImportError as error:
        print(f"\nSplink is left out: {error}; pip install -r requirements-bench.txt")
        return
    for number in (1,) if options.quick else (1, 3):
        path = FEBRL / f"dataset{number}.csv"
        if not path.is_file():
            print(f"\nFEBRL {number} is left out: there is no {path.name} in ../shared/data/febrl")
            continue
        yield beside_splink(make().url, path)


def beside_splink(url: str, path: Path) -> Row:
    """Measure both on one FEBRL data set.

    Args:
        url: of an empty database.
        path: of the data set.
    """
    rows = _febrl(path)
    true = _true([row["rec_id"].split("-")[1] for row in rows])
    began = perf_counter()
    theirs = _with_splink(rows)
    spent = perf_counter() - began
    crm = CRM(create_engine(url))
    crm.create_tables()
    _fill(crm, (_contact(number, row) for number, row in enumerate(rows, 1)))
    began = perf_counter()
    crm.find_duplicates()
    ours_spent = perf_counter() - began
    with crm.begin() as tx:
        queue = tx.duplicates.queue(limit=10 * len(rows))
    ours = {(pair.first_id.int, pair.second_id.int) for pair in queue}
    crm.engine.dispose()
    what = f"{path.stem}: F1 {_f1(theirs, true):.4f} of Splink, {_f1(ours, true):.4f} of crmkit"
    sides = _once("Splink", spent), _once("ours", ours_spent)
    return Row.of("duplicates", "sqlite", what, *sides, note=_SPLINK)


def _febrl(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(DictReader(lines, skipinitialspace=True))


def _contact(number: int, row: dict[str, str]) -> Contact:
    address = PostalAddress(
        street=f"{row['street_number']} {row['address_1']}".strip(),
        extended=row["address_2"],
        locality=row["suburb"],
        region=row["state"],
        postcode=row["postcode"],
    )
    given, family = row["given_name"], row["surname"]
    return Contact(
        id=UUID(int=number),
        name=f"{given} {family}".strip(),
        given_name=given,
        family_name=family,
        birth_date=_birth(row["date_of_birth"]),
        points=[ContactPoint.postal(address)],
    )


def _birth(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None  # such as the 31st of a month that has 30 days


def _true(whose: list[str]) -> set[tuple[int, int]]:
    groups: dict[str, list[int]] = {}
    for number, truth in enumerate(whose, 1):
        groups.setdefault(truth, []).append(number)
    return {pair for numbers in groups.values() for pair in combinations(numbers, 2)}


def _f1(found: set[tuple[int, int]], true: set[tuple[int, int]]) -> float:
    return 2 * len(found & true) / (len(found) + len(true))


def _with_splink(rows: list[dict[str, str]]) -> set[tuple[int, int]]:
    """Find the pairs as Splink's own examples do for such fields."""
    import pyarrow
    import splink.comparison_library as compared
    from splink import Linker, SettingsCreator, block_on
    from splink.backends.duckdb import DuckDBAPI

    fields = [name for name in rows[0] if name not in ("rec_id", "soc_sec_id")]
    table = pyarrow.Table.from_pylist(
        [
            {"unique_id": number, **{name: row[name] or None for name in fields}}
            for number, row in enumerate(rows, 1)
        ]
    )
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on(name) for name in ("given_name", "surname", "date_of_birth", "postcode")
        ],
        comparisons=[
            compared.NameComparison("given_name"),
            compared.NameComparison("surname"),
            compared.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
            compared.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
            compared.JaroWinklerAtThresholds("address_1", [0.9, 0.7]),
            compared.ExactMatch("street_number"),
            compared.JaroWinklerAtThresholds("suburb", [0.9, 0.7]),
            compared.ExactMatch("state"),
        ],
    )
    linker = Linker(DuckDBAPI().register(table), settings, log_level="ERROR")
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on("given_name", "surname", "date_of_birth")], recall=0.6
    )
    training.estimate_u_using_random_sampling(max_pairs=1e6)
    training.estimate_parameters_using_expectation_maximisation(block_on("date_of_birth"))
    training.estimate_parameters_using_expectation_maximisation(block_on("surname", "given_name"))
    found = linker.inference.predict(threshold_match_probability=0.5).as_record_list()
    pairs = ((row["unique_id_l"], row["unique_id_r"]) for row in found)
    return {(min(pair), max(pair)) for pair in pairs}
