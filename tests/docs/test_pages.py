"""What holds every page: marks on blocks, links, names that exist, tables that agree with the code."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from tests.docs import blocks
from tests.docs.blocks import PAGES, ROOT, Block

from interplay.cli import VERBS
from interplay.data.datasets import DATASETS
from interplay.training.recipes import shipped_recipes

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_EVERY = [block for page in PAGES for block in blocks.blocks(page)]


def text_of(page: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_how_it_is_tested(page: str) -> None:
    for block in blocks.blocks(page):
        if block.language in blocks.EXECUTABLE:
            assert re.fullmatch(r"run|parse|skip because \S.*|write \S+", block.mark), f"{block}: {block.mark!r}"


@pytest.mark.parametrize("block", [b for b in _EVERY if b.mark == "parse" and b.page != "README.md"], ids=str)
def test_commands_exist(block: Block) -> None:
    blocks.parse(block)


@pytest.mark.parametrize("page", ["docs/index.md", "docs/python.md", "docs/model-folder.md", "docs/sil.md"])
def test_blocks_run(page: str, page_folder: Path) -> None:
    names: dict[str, object] = {}
    ran = [block for block in blocks.blocks(page) if block.mark == "run"]
    for block in ran:
        blocks.run(block, names)
    assert ran


def test_no_other_page_claims_to_be_run() -> None:
    run = {"README.md", "docs/index.md", "docs/python.md", "docs/model-folder.md", "docs/tutorial-own-recordings.md"}
    run.add("docs/tutorial_own_pictures.md")
    run.add("docs/tutorial_own_clips.md")
    run.add("docs/sil.md")
    assert {block.page for block in _EVERY if block.mark == "run"} == run


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in _LINK.findall(text_of(page)):
        assert "://" not in target or target.startswith("https://"), target
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_named_modules_files_and_tests_exist(page: str) -> None:
    """`interplay.module.name` can be imported; `src/…`, `tests/…`, `examples/…`, `benchmarks/…` are there."""
    for name in _CODE.findall(text_of(page)):
        if "NAME" in name:  # stands for any name
            continue
        if re.fullmatch(r"interplay(\.\w+)+", name):
            resolve(name)
        elif re.fullmatch(r"(src|tests|examples|benchmarks|docs)/[\w./-]+(::\w+)?", name):
            path, _, test = name.partition("::")
            assert (ROOT / path).exists(), f"{page}: {name}"
            if test:
                assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{page}: {name}"


def resolve(name: str) -> object:
    """Import the longest module in a dotted name, then take attributes."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            fields = getattr(found, "__dataclass_fields__", {})
            found = fields[attribute] if attribute in fields else getattr(found, attribute)
        return found
    raise AssertionError(name)


def test_command_line_page_is_complete() -> None:
    text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    for verb in VERBS:
        assert f"\n## {verb}\n" in text, verb
        assert f"\ninterplay {verb}" in text, verb
    for name in (*shipped_recipes(), *DATASETS):
        assert f"`{name}`" in text, name


def test_tables_and_figures_are_all_described() -> None:
    from interplay.studies.megcn_tables import STUDIES

    text = (ROOT / "docs/reproduce.md").read_text(encoding="utf-8")
    for key, study in STUDIES.items():
        assert f"`megcn.{key}`" in text, key
        assert study.data in text


def test_every_option_of_the_network_is_described() -> None:
    from inspect import signature

    from interplay.skeleton.network import MutualExcitationGCN

    text = (ROOT / "docs/notation-megcn.md").read_text(encoding="utf-8")
    rows = {match[1]: match[2] for match in re.finditer(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE)}
    for name, parameter in signature(MutualExcitationGCN).parameters.items():
        if name in ("num_classes", "layout", "in_channels"):
            continue
        assert name in rows, name
        assert rows.pop(name) == str(parameter.default), name


def test_options_of_the_relation_heads_are_as_described() -> None:
    """The last column of the tables: `option` default, other values. Keys with a dot belong to another section."""
    from inspect import signature

    from interplay.scene.heads import HEADS, head_class
    from interplay.scene.recipe import parser

    text = (ROOT / "docs/notation-scenes.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    titles = {re.sub(r"[\W_]", "", title.lower()): title for title in sections}
    recipe = parser("vg", "motifs").parser.get_defaults()
    described = 0
    for name in (*(name for name in HEADS if name != "frequency"), "symbols"):
        options = signature(head_class(name)).parameters if name != "symbols" else {}
        rows = re.findall(r"^\|[^|\n]+\|[^|\n]+\| ([^|\n]+) \|$", sections[titles[name.replace("_", "")]], re.MULTILINE)
        for cell in rows:
            for option, default in re.findall(r"((?:`[\w.]+`, )*`[\w.]+`) (\w[\w.]*)", cell):
                for key in re.findall(r"`([\w.]+)`", option):
                    if key.startswith(("interplay", "tests")) or (name == "symbols" and "." not in key):
                        continue
                    real = recipe[key] if "." in key else options[key].default
                    plain = "null" if real is None else str(real).lower() if isinstance(real, bool) else str(real)
                    assert default == plain, f"{name}: {key} is {real!r}, the page says {default}"
                    described += 1
    assert described >= 30


def test_table_of_joint_maps_is_true() -> None:
    from interplay.graph.joint_map import JointMapError, joint_map
    from interplay.graph.layouts import shipped_layouts

    _, _, after = (ROOT / "docs/models.md").read_text(encoding="utf-8").partition("## Which joints can be mapped")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in after.splitlines() if line[:1] == "|"]
    targets = rows[0][1:]
    assert sorted(targets) == sorted(shipped_layouts()) == sorted(row[0] for row in rows[2:])
    for source, *cells in rows[2:]:
        for target, cell in zip(targets, cells, strict=True):
            try:
                joint_map(source, target)
                possible = True
            except JointMapError:
                possible = False
            assert possible == cell.startswith(("yes", "same")), f"{source} → {target}"


def test_site_has_every_page_and_nothing_from_elsewhere() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = re.findall(r"'?([\w-]+\.md)'?", str(site["nav"]))
    assert sorted(f"docs/{page}" for page in pages) == [page for page in PAGES if page.startswith("docs/")]
    assert site["theme"]["font"] is False
    assert not any(key in site for key in ("extra_javascript", "extra_css"))


def test_every_key_of_a_models_config_is_described() -> None:
    from inspect import signature

    from interplay.skeleton.inputs import InputSettings
    from interplay.skeleton.recogniser import SkeletonRecogniser

    text = (ROOT / "docs/model-folder.md").read_text(encoding="utf-8")
    keys = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(keys) == sorted(signature(SkeletonRecogniser).parameters)
    for key in signature(InputSettings).parameters:
        assert f"`{key}`" in text, key
