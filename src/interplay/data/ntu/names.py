"""What an NTU RGB+D file name says: the grammar, the classes, the official splits and the missing recordings.

``S017C003P020R001A059.skeleton`` is setup 17, camera 3, subject 20, repetition 1, action 59. NTU60 is setups 1–17 with
actions 1–60, NTU120 setups 1–32 with actions 1–120; actions 50–60 and 106–120 are the two-person interactions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from interplay.data.errors import DataError

Benchmark = Literal["xsub", "xview", "xset"]

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")


class RecordingName(NamedTuple):
    """The five numbers of a file name, 1-based as printed there."""

    setup: int
    camera: int
    subject: int
    replication: int
    action: int

    @classmethod
    def parse(cls, name: str) -> RecordingName | None:
        """From a file name without extension; None if it is none of NTU RGB+D's."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        recording = cls(*(int(number) for number in match.groups()))
        return recording if 1 <= recording.action <= len(ACTIONS) else None


ACTIONS: tuple[str, ...] = (
    *("drink water", "eat meal", "brush teeth", "brush hair", "drop", "pick up", "throw", "sit down", "stand up"),
    *("clap", "read", "write", "tear up paper", "put on jacket", "take off jacket", "put on a shoe", "take off a shoe"),
    *("put on glasses", "take off glasses", "put on a hat", "take off a hat", "cheer up", "wave hand"),
    *("kick something", "reach into pocket", "hop", "jump up", "phone call", "play with phone", "type on a keyboard"),
    *("point to something", "take a selfie", "check time", "rub two hands", "nod head", "shake head", "wipe face"),
    *("salute", "put palms together", "cross hands in front", "sneeze or cough", "stagger", "fall down"),
    *("headache", "chest pain", "back pain", "neck pain", "nausea or vomiting", "fan self"),
    *("punching/slapping other person", "kicking other person", "pushing other person", "pat on back"),
    *("point finger at the other person", "hugging", "giving something", "touch other person's pocket"),
    *("handshaking", "walking towards each other", "walking apart from each other"),
    *("put on headphone", "take off headphone", "shoot at basket", "bounce ball", "tennis bat swing"),
    *("juggle table tennis ball", "hush", "flick hair", "thumb up", "thumb down", "make OK sign"),
    *("make victory sign", "staple book", "count money", "cut nails", "cut paper", "snap fingers", "open bottle"),
    *("sniff", "squat down", "toss a coin", "fold paper", "ball up paper", "play magic cube"),
    *("apply cream on face", "apply cream on hand", "put on bag", "take off bag", "put object into bag"),
    *("take object out of bag", "open a box", "move heavy objects", "shake fist", "throw up cap or hat"),
    *("hands up", "cross arms", "arm circles", "arm swings", "run on the spot", "butt kicks", "cross toe touch"),
    *("side kick", "yawn", "stretch oneself", "blow nose"),
    *("hit other person with something", "wield knife towards other person", "knock over other person"),
    *("grab other person's stuff", "shoot at other person with a gun", "step on foot", "high-five"),
    *("cheers and drink", "carry something with other person", "take a photo of other person"),
    *("follow other person", "whisper in other person's ear", "exchange things with other person"),
    *("support somebody with hand", "finger-guessing game"),
)
"""Action k of a file name is ``ACTIONS[k - 1]``."""

INTERACTIONS_60: tuple[int, ...] = tuple(range(50, 61))
INTERACTIONS_120: tuple[int, ...] = (*range(50, 61), *range(106, 121))
"""Action numbers of the two-person classes; a class's label is its position here."""

SETUPS_60 = 17
SETUPS_120 = 32

TRAIN_SUBJECTS_60 = frozenset((1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38))
TRAIN_SUBJECTS_120 = TRAIN_SUBJECTS_60 | frozenset(  # and 33 of those whom NTU120 added
    (
        *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78),
        *(80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103),
    )
)
TRAIN_CAMERAS = frozenset((2, 3))

INTERACTION_COUNTS: Mapping[int, int] = dict(
    zip(
        INTERACTIONS_120,
        (
            *(941, 945, 946, 948, 941, 906, 948, 945, 948, 939, 940),
            *(959, 960, 959, 959, 958, 959, 960, 959, 959, 959, 960, 958, 959, 957, 960),
        ),
        strict=True,
    )
)
"""Recordings of each interaction that are left without the missing ones (both data sets: 10,347 and 24,732)."""

SPLIT_SIZES: Mapping[tuple[int, Benchmark], tuple[int, int]] = {
    (60, "xsub"): (7319, 3028),
    (60, "xview"): (6889, 3458),
    (120, "xsub"): (13072, 11660),
    (120, "xset"): (11864, 12868),
}
"""(actions in the data set, benchmark) → train and test recordings of the interactions, missing ones left out."""

MISSING_INTERACTIONS: frozenset[str] = frozenset(
    re.findall(
        r"\S+",
        """
    S001C003P002R001A055 S003C001P019R001A055 S003C002P002R002A055 S003C002P018R002A055 S003C003P002R001A055
    S003C003P016R001A055 S005C003P021R002A057 S006C001P001R002A055 S006C002P016R001A051 S006C002P016R001A052
    S006C003P016R001A060 S006C003P017R001A055 S007C001P018R002A050 S007C001P025R002A051 S007C001P028R001A050
    S007C001P028R001A051 S007C001P028R001A052 S007C002P015R002A055 S007C002P026R001A050 S007C002P028R002A055
    S007C003P019R001A060 S008C002P008R002A059 S008C002P025R001A060 S008C002P035R001A059 S008C003P008R002A050
    S008C003P025R002A060 S009C002P015R002A050 S009C003P025R002A054 S010C002P016R002A055 S010C003P016R001A055
    S010C003P017R002A055 S011C001P018R002A050 S011C002P008R002A059 S011C002P016R002A055 S011C002P018R002A055
    S011C003P001R001A055 S011C003P002R001A055 S011C003P015R001A055 S011C003P016R001A055 S011C003P019R001A055
    S011C003P025R001A055 S011C003P028R002A055 S012C001P019R001A060 S012C001P019R002A060 S012C002P015R001A055
    S012C002P025R001A060 S012C003P008R001A057 S012C003P015R001A055 S012C003P015R002A055 S012C003P016R001A055
    S012C003P017R002A055 S012C003P018R001A055 S012C003P018R001A057 S012C003P025R001A055 S012C003P027R001A055
    S012C003P028R002A055 S013C001P015R001A054 S013C001P017R002A054 S013C002P015R001A054 S013C002P017R002A054
    S013C003P008R002A059 S013C003P015R001A054 S013C003P017R002A054 S013C003P027R001A055 S014C002P025R002A059
    S014C002P039R001A050 S014C003P007R002A059 S014C003P015R002A055 S014C003P019R002A055 S015C001P016R001A055
    S015C001P017R001A055 S015C001P017R002A055 S015C002P007R001A059 S015C002P016R002A055 S016C001P025R001A060
    S016C001P040R001A055 S016C001P040R002A055 S017C002P016R002A055 S017C003P008R001A059 S017C003P017R001A055
    S017C003P020R001A059
    S021C001P059R001A108 S022C002P061R001A113 S022C003P065R002A119 S023C002P055R001A114 S024C001P063R001A109
    S025C001P055R002A119 S025C003P056R002A119 S025C003P059R002A115 S026C003P075R001A117 S026C003P075R001A118
    S029C003P044R002A106 S029C003P051R002A110 S029C003P074R002A110 S031C002P042R001A111 S031C002P082R002A117
    """,
    )
)
"""The interaction recordings without usable skeletons: 81 of NTU60, 15 more of NTU120. The full lists (302 and 535
names) come with the data; see :func:`read_name_list`."""


def read_name_list(path: str | Path) -> tuple[str, ...]:
    """Every recording name in a text file, in order: one a line, with header lines, or with ``.skeleton`` behind it.

    Raises:
        DataError: the file cannot be read or holds no name.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(path, "", f"an unreadable file ({error.strerror})", "a list of recording names") from None
    names = tuple(match.group() for match in _NAME.finditer(text))
    if not names:
        raise DataError(path, "", "no recording name", "names such as S001C002P003R002A050")
    return names


def check_benchmark(benchmark: str) -> Benchmark:
    """The benchmark's name if there is such a one; ValueError otherwise."""
    for known in get_args(Benchmark):
        if benchmark == known:
            return known  # type: ignore[no-any-return]
    raise ValueError(f"benchmark {benchmark!r}: expected one of {', '.join(get_args(Benchmark))}")


def is_train(name: RecordingName, benchmark: Benchmark, actions: int = 120) -> bool:
    """Whether a recording is in the training part.

    xsub: its subject is one of 20 (NTU60, ``actions=60``) or 53 (NTU120); xview: camera 2 or 3; xset: even setup.
    """
    if benchmark == "xsub":
        return name.subject in (TRAIN_SUBJECTS_60 if actions <= 60 else TRAIN_SUBJECTS_120)
    if benchmark == "xview":
        return name.camera in TRAIN_CAMERAS
    return name.setup % 2 == 0


def split_sizes(names: Iterable[str], benchmark: Benchmark, actions: int = 120) -> tuple[int, int]:
    """Train and test recordings among these names. For a whole interaction set they are :data:`SPLIT_SIZES`.

    Raises:
        ValueError: a name outside the grammar.
    """
    train = [is_train(_parsed(name), benchmark, actions) for name in names]
    return sum(train), len(train) - sum(train)


def action_counts(names: Iterable[str]) -> dict[int, int]:
    """Action number → recordings. For a whole interaction set it is :data:`INTERACTION_COUNTS`."""
    return dict(sorted(Counter(_parsed(name).action for name in names).items()))


class Comparison(NamedTuple):
    """One published count beside the one that a list of names gives."""

    what: str
    found: int
    published: int

    @property
    def agrees(self) -> bool:
        return self.found == self.published


def compare_with_published(names: Iterable[str], actions: Literal[60, 120]) -> list[Comparison]:
    """Split sizes and class sizes of the interaction recordings among the names, beside those published.

    Names of other classes, of setups outside the data set and of :data:`MISSING_INTERACTIONS` do not count, so that
    the file names of a whole tree may be given as they are.
    """
    classes, setups = (INTERACTIONS_60, SETUPS_60) if actions == 60 else (INTERACTIONS_120, SETUPS_120)
    chosen = [
        name
        for name in dict.fromkeys(names)
        if (recording := RecordingName.parse(name)) is not None
        and recording.action in classes
        and recording.setup <= setups
        and name not in MISSING_INTERACTIONS
    ]
    result = []
    for (size, benchmark), published in SPLIT_SIZES.items():
        if size == actions:
            for part, found, count in zip(
                ("train", "test"), split_sizes(chosen, benchmark, size), published, strict=True
            ):
                result.append(Comparison(f"NTU{size} {benchmark} {part}", found, count))
    found_classes = action_counts(chosen)
    for action in classes:
        result.append(
            Comparison(f"A{action:03d} {ACTIONS[action - 1]}", found_classes.get(action, 0), INTERACTION_COUNTS[action])
        )
    return result


def check_actions(actions: Sequence[int], known: int = 120) -> tuple[int, ...]:
    """A class list: action numbers from 1 to ``known``, each once. ValueError otherwise."""
    chosen = tuple(int(action) for action in actions)
    if not chosen or len(set(chosen)) != len(chosen) or not all(1 <= action <= known for action in chosen):
        raise ValueError(f"actions {list(chosen)}: expected different numbers from 1 to {known}")
    return chosen


def _parsed(name: str) -> RecordingName:
    recording = RecordingName.parse(name)
    if recording is None:
        raise ValueError(f"{name!r} is no recording name such as S001C002P003R002A050")
    return recording
