"""Assembly101: one model names actions; verbs, nouns, and frequent and rare actions are read from its answers.

An action is never derived from a verb and a noun: 1,380 actions share 1,198 (verb, noun) pairs. The other direction is
a table (``actions.csv``), and it serves for the prediction and for the truth alike.
"""

from __future__ import annotations

import numpy as np

from interplay.evaluation.scores import Scores
from interplay.evaluation.uncertainty import Estimate, wilson


def verb_noun_metrics(scores: Scores) -> dict[str, Estimate]:
    """Top-1 of the predicted action's verb and noun, and top-1 among head and tail actions.

    Returns:
        ``verb_top1`` and ``noun_top1`` where ``scores`` has those tables; ``head_top1`` and ``tail_top1`` where it has
        a head list and labelled samples of that kind. Empty for data sets that have none of it.
    """
    known = scores.labelled
    truth, answer = known.labels, known.predictions
    found: dict[str, Estimate] = {}
    for name, table in (("verb_top1", known.verbs), ("noun_top1", known.nouns)):
        if table is not None and len(known):
            found[name] = wilson(int((table[answer] == table[truth]).sum()), len(known))
    if known.head is not None:
        for name, members in (("head_top1", known.head), ("tail_top1", ~known.head)):
            mine = members[truth]
            if mine.any():
                found[name] = wilson(int((answer == truth)[mine].sum()), int(np.count_nonzero(mine)))
    return found
