"""Write the World Cup facts file from an openfootball folder (CC0).

Usage: python tools/make_world_cup_facts.py SOURCE_FOLDER OUTPUT_TOML

SOURCE_FOLDER holds openfootball's `worldcup.json`, `worldcup.teams.json` and
`worldcup.stadiums.json` for 2026. The output is this project's own format (see
`exchange_os.sim.world_cup.facts`); nothing reads the source folder afterwards.

Two things are not in the source and are added here:

* numbers 1 to 72 of the group matches: by kick-off, then by group, then in the order of the source.
  (Numbers 73 to 104 are the tournament's own and come from the source.)
* the bracket slot each knock-out side came from, as the tournament regulations print it:
  `1E` winner of group E, `2A` runner-up of group A, `3ABCDF` a third-placed team of one of those
  groups, `W74` winner of match 74, `L101` loser of match 101.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

ROUNDS = {
    "Round of 32": "round_of_32",
    "Round of 16": "round_of_16",
    "Quarter-final": "quarter_final",
    "Semi-final": "semi_final",
    "Match for third place": "third_place",
    "Final": "final",
}

BRACKET_SLOTS = {
    73: "2A 2B", 74: "1E 3ABCDF", 75: "1F 2C", 76: "1C 2F",
    77: "1I 3CDFGH", 78: "2E 2I", 79: "1A 3CEFHI", 80: "1L 3EHIJK",
    81: "1D 3BEFIJ", 82: "1G 3AEHIJ", 83: "2K 2L", 84: "1H 2J",
    85: "1B 3EFGIJ", 86: "1J 2H", 87: "1K 3DEIJL", 88: "2D 2G",
    89: "W74 W77", 90: "W73 W75", 91: "W76 W78", 92: "W79 W80",
    93: "W83 W84", 94: "W81 W82", 95: "W86 W88", 96: "W85 W87",
    97: "W89 W90", 98: "W93 W94", 99: "W91 W92", 100: "W95 W96",
    101: "W97 W98", 102: "W99 W100", 103: "L101 L102", 104: "W101 W102",
}  # fmt: skip

HOST_BY_COUNTRY = {"us": "USA", "ca": "CAN", "mx": "MEX"}

HEADER = """\
# The 2026 FIFA World Cup: teams, groups, matches, results.
#
# Facts from openfootball (https://github.com/openfootball/worldcup.json), CC0 1.0 public domain.
# Written by tools/make_world_cup_facts.py; do not edit by hand. Group matches are numbered 1 to 72
# by kick-off, then group; 73 to 104 are the tournament's own numbers.
#
# goals_90 is the score after 90 minutes, goals_120 after extra time (both count from kick-off),
# penalties the shoot-out; each is [home, away]. A drawn group match has no winner.
# Slots: 1E winner of group E, 2A runner-up of group A, 3ABCDF third of one of those groups,
# W74 winner of match 74, L101 loser of match 101. venue_country is the host team's code.
"""


def kick_off(date: str, time: str) -> datetime:
    """UTC kick-off of the source's local date and time, e.g. `2026-06-11`, `13:00 UTC-6`."""
    clock, _, offset = time.partition(" UTC")
    local = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=timezone(timedelta(hours=int(offset))))
    return local.astimezone(UTC)


def winner(home: str, away: str, score: dict[str, list[int]]) -> str | None:
    """Code of the winner by the last stage of the match that was played; None when drawn."""
    home_goals, away_goals = score.get("p") or score.get("et") or score["ft"]
    return None if home_goals == away_goals else home if home_goals > away_goals else away


def match_facts(source: dict[str, Any], codes: dict[str, str], countries: dict[str, str]) -> dict[str, Any]:
    """One match in the order its fields are written; group matches get number and matchday later."""
    home, away, score = codes[source["team1"]], codes[source["team2"]], source["score"]
    facts: dict[str, Any] = {"number": source.get("num", 0)}
    if "group" in source:
        facts |= {"round": "group", "group": source["group"].removeprefix("Group "), "matchday": 0}
    else:
        facts["round"] = ROUNDS[source["round"]]
    facts |= {"kick_off_utc": kick_off(source["date"], source["time"]), "home": home, "away": away}
    if "num" in source:
        facts["home_slot"], facts["away_slot"] = BRACKET_SLOTS[source["num"]].split()
    facts["goals_90"] = score["ft"]
    if "et" in score:
        facts["goals_120"] = score["et"]
    if "p" in score:
        facts["penalties"] = score["p"]
    if (won_by := winner(home, away, score)) is not None:
        facts["winner"] = won_by
    return facts | {"venue_city": source["ground"], "venue_country": countries[source["ground"]]}


def toml_value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)  # strings, integers, lists: JSON's form is TOML's


def toml_rows(key: str, rows: list[dict[str, Any]]) -> str:
    return f"\n{key} = [\n" + "".join(f"  {toml_value(row)},\n" for row in rows) + "]\n"


def facts_toml(folder: Path) -> str:
    """The whole facts file as text."""
    source = json.loads((folder / "worldcup.json").read_text(encoding="utf-8"))
    teams = json.loads((folder / "worldcup.teams.json").read_text(encoding="utf-8"))
    stadiums = json.loads((folder / "worldcup.stadiums.json").read_text(encoding="utf-8"))["stadiums"]
    codes = {team["name"]: team["fifa_code"] for team in teams}
    countries = {stadium["city"]: HOST_BY_COUNTRY[stadium["cc"]] for stadium in stadiums}

    matches = [match_facts(match, codes, countries) for match in source["matches"]]
    group_matches = [match for match in matches if match["round"] == "group"]
    group_matches.sort(key=lambda match: (match["kick_off_utc"], match["group"]))
    played: dict[str, int] = {}
    for number, match in enumerate(group_matches, start=1):
        match["number"] = number
        match["matchday"] = played.get(match["group"], 0) // 2 + 1
        played[match["group"]] = played.get(match["group"], 0) + 1
    matches.sort(key=lambda match: match["number"])

    letters = sorted({team["group"] for team in teams})
    groups = [
        {"name": letter, "teams": [team["fifa_code"] for team in teams if team["group"] == letter]}
        for letter in letters
    ]
    team_rows = [{"code": t["fifa_code"], "name": t["name"], "group": t["group"]} for t in teams]
    head = f'\nformat = 1\ntournament = "{source["name"]}"\n'
    tables = {"team": team_rows, "group": groups, "match": matches}
    return HEADER + head + "".join(toml_rows(key, rows) for key, rows in tables.items())


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    Path(arguments[1]).write_text(facts_toml(Path(arguments[0])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
