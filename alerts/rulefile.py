"""Rules as a YAML file, to be read, reviewed and kept beside other configuration:

    rules:
    - name: sanksi-bali
      channel: tim-bali
      wanted:
        kinds: [sanction]
        places: [Bali]
        words: netralitas AND (ASN OR "pegawai negeri")
      zone: Asia/Makassar
      quiet: 22:00-06:00

The fields are those of `storage.rules.Rule` and `Wanted`; what is left out is their default.
"""

from collections.abc import Iterable

import yaml

from storage.rules import Rule, RuleError, valid

MAX_BYTES = 256 * 1024
DEEPEST = 10  # a rule's kinds are 5 deep


def dump(rules: Iterable[Rule]) -> str:
    """The file that `load` makes the same rules of."""
    rows = [rule.model_dump(mode="json", exclude_defaults=True) for rule in rules]
    return yaml.safe_dump({"rules": rows}, allow_unicode=True, sort_keys=False, width=100)


def load(file: bytes) -> list[Rule]:
    """The rules in a file. Raises RuleError, naming the rule and the field."""
    if len(file) > MAX_BYTES:
        raise RuleError(f"it is larger than {MAX_BYTES // 1024} KB")
    try:
        _refuse_bombs(file)
        data = yaml.safe_load(file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise RuleError(f"it is not YAML: {error.problem}{where}") from None
    except RuleError:
        raise
    except (yaml.YAMLError, ValueError) as error:  # bytes that are no text; 2024-99-99
        raise RuleError(f"it is not YAML: {error}") from None
    rows = data.get("rules") if isinstance(data, dict) and data.keys() == {"rules"} else None
    if not isinstance(rows, list):
        raise RuleError("it must be a list called “rules”, and nothing else")
    rules: dict[str, Rule] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise RuleError(f"rule {number} has no name")
        rule = valid(row)
        if rule.name in rules:
            raise RuleError(f"there are two rules “{rule.name}”")
        rules[rule.name] = rule
    return list(rules.values())


def _refuse_bombs(file: bytes) -> None:
    """What makes much work of a small file: aliases, and lists in each other."""
    depth = 0
    for event in yaml.parse(file, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RuleError("too much is nested")
        if isinstance(event, yaml.AliasEvent):
            raise RuleError("aliases (*name) are not understood")
