from __future__ import annotations

import json
import re

from interplay.training.environment import commit, environment


def test_the_environment_goes_to_json_and_names_versions_and_machine() -> None:
    found = json.loads(json.dumps(environment()))
    assert {"python", "torch", "lightning"} <= set(found["versions"])
    assert found["machine"]["cpus"] >= 1


def test_the_commit_is_one_or_none() -> None:
    found = commit()
    assert found is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", found)
