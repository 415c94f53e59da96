"""Published relation heads: a state dict with their layout, written out by hand, comes back as the same head."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from interplay.data.errors import DataError
from interplay.data.scene_statistics import SceneStatistics
from interplay.data.scenes import BACKGROUND, Vocabulary
from interplay.scene.features import BoxFeatures, UnionFeatureExtractor
from interplay.scene.heads.frequency_baseline import FrequencyBaseline
from interplay.scene.heads.interface import RelationHead
from interplay.scene.heads.motifs import Motifs
from interplay.scene.heads.vctree import VCTree
from interplay.scene.published_heads import load_published_head
from interplay.scene.regions import RegionPooler

VOCABULARY = Vocabulary((BACKGROUND, "cup", "table"), (BACKGROUND, "on", "under"))
STATISTICS = SceneStatistics(
    np.zeros((3, 3, 3), np.int64),
    *(np.zeros((3, 3), np.int64) for _ in range(2)),
    np.zeros(3, np.int64),
    np.zeros((3, 3), np.int64),
)
WIDTHS = {"entity_width": 6, "union_width": 6, "hidden": 8, "pooling": 10, "label_dim": 4}
Parts = tuple[BoxFeatures, UnionFeatureExtractor, RelationHead]


def parts(kind: type[Motifs] | type[VCTree], seed: int) -> Parts:
    torch.manual_seed(seed)
    pooler = RegionPooler()
    made = (
        BoxFeatures(pooler, 2, 6),
        UnionFeatureExtractor(pooler, 2, 6),
        kind(VOCABULARY, STATISTICS, "sgcls", **WIDTHS),
    )
    for module in made:
        for value in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
            nn.init.uniform_(value, 0.1, 1.0)
    return made


def of(module: nn.Module, name: str) -> dict[str, Tensor]:
    """Weights of one layer under a published name."""
    return {f"{name}.{key}": value for key, value in module.state_dict().items()}


def sequence(names: Iterable[tuple[str, nn.Module]], prefix: str) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    for name, module in names:
        made |= of(module, f"{prefix}{name}")
    return made


def published(box: BoxFeatures, union: UnionFeatureExtractor, head: Motifs | VCTree) -> dict[str, Tensor]:
    relation, inner = "roi_heads.relation.", "roi_heads.relation.predictor.context_layer."
    rectangles, pair, position = union.rectangles, head.relation, head.entity_input.position
    assert pair.join is not None
    assert pair.union is not None
    assert pair.frequency is not None
    made = sequence(
        [
            ("box_feature_extractor.fc6", box.perceptron.fc6),
            ("box_feature_extractor.fc7", box.perceptron.fc7),
            ("union_feature_extractor.feature_extractor.fc6", union.perceptron.fc6),
            ("union_feature_extractor.feature_extractor.fc7", union.perceptron.fc7),
            ("union_feature_extractor.feature_extractor.pooler.reduce_channel.0", union.reduce),
            ("union_feature_extractor.rect_conv.0", rectangles.widen),
            ("union_feature_extractor.rect_conv.2", rectangles.widened_norm),
            ("union_feature_extractor.rect_conv.4", rectangles.mix),
            ("union_feature_extractor.rect_conv.6", rectangles.mixed_norm),
            ("predictor.post_emb", pair.ends),
            ("predictor.post_cat", pair.join),
            ("predictor.up_dim", pair.union),
            ("predictor.rel_compress" if isinstance(head, Motifs) else "predictor.ctx_compress", pair.classifier),
            ("predictor.freq_bias.obj_baseline", pair.frequency.table),
        ],
        relation,
    )
    made |= sequence(
        [
            ("obj_embed1", head.entity_input.embedding.table),
            ("obj_embed2", head.label_embedding.table),
            ("pos_embed.0", position.reduce),
            ("pos_embed.1", position.norm),
            ("pos_embed.2", position.expand),
            ("decoder_rnn.obj_embed", head.decoder.embedding),
        ],
        inner,
    )
    if isinstance(head, Motifs):
        return made | sequence(
            [
                ("obj_ctx_rnn", head.object_context.lstm),
                ("lin_obj_h", head.object_context.output),
                ("edge_ctx_rnn", head.edge_context.lstm),
                ("lin_edge_h", head.edge_context.output),
                ("decoder_rnn.input_linearity", head.decoder.input),
                ("decoder_rnn.state_linearity", head.decoder.state),
                ("decoder_rnn.out_obj", head.decoder.output),
            ],
            inner,
        )
    for name, context in (("obj_ctx_rnn", head.object_context), ("edge_ctx_rnn", head.edge_context)):
        layer, up, down = f"{inner}{name}.multi_layer_lstm.0.treeLSTM_", context.up[0], context.down[0]
        made |= sequence(
            [
                ("foreward.treeLSTM.px", up.projection),
                ("foreward.treeLSTM.ioffux", up.input),
                ("foreward.treeLSTM.ioffuh_left", up.left),
                ("foreward.treeLSTM.ioffuh_right", up.right),
                ("backward.treeLSTM.px", down.projection),
                ("backward.treeLSTM.iofux", down.input),
                ("backward.treeLSTM.iofuh", down.parent),
            ],  # type: ignore[list-item]
            layer,
        )
    scores, cell = head.scores, head.decoder.cell
    made |= sequence(
        [
            ("decoder_rnn.decoderLSTM.px", cell.projection),
            ("decoder_rnn.decoderLSTM.iofux", cell.input),
            ("decoder_rnn.decoderLSTM.iofuh", cell.parent),
            ("decoder_rnn.decoderLSTM.embed_layer", head.decoder.embedding),  # named twice in the published files
            ("decoder_rnn.decoderLSTM.embed_out_layer", head.decoder.output),
            ("decoder_rnn.out", head.decoder.output),
            ("obj_reduce", scores.feature),
            ("emb_reduce", scores.belief),
            ("box_embed.0", scores.box),
            ("box_embed.1", scores.box_norm),
            ("overlap_embed.0", scores.overlap),
            ("overlap_embed.1", scores.overlap_norm),
            ("score_pre", scores.join),
            ("score_sub", scores.subject),
            ("score_obj", scores.object),
            ("vision_prior", scores.visual),
        ],
        inner,
    )
    return made | {f"{inner}bi_freq_prior.weight": scores.prior.detach().reshape(1, -1)}


@pytest.mark.parametrize("kind", [Motifs, VCTree])
def test_every_weight_finds_its_place(kind: type[Motifs] | type[VCTree]) -> None:
    source, target = parts(kind, 0), parts(kind, 1)
    state = published(*source)  # type: ignore[arg-type]
    state["roi_heads.box.predictor.cls_score.weight"] = torch.zeros(1)  # the detector of the same file
    load_published_head(*target, {f"module.{name}": value for name, value in state.items()})
    for given, found in zip(source, target, strict=True):
        for name, value in given.state_dict().items():
            assert torch.equal(found.state_dict()[name], value) or name.endswith("num_batches_tracked"), name


@pytest.mark.parametrize("kind", [Motifs, VCTree])
def test_names_that_do_not_fit(kind: type[Motifs] | type[VCTree]) -> None:
    source, target = parts(kind, 0), parts(kind, 1)
    state = published(*source)  # type: ignore[arg-type]
    missing = {name: value for name, value in state.items() if "post_cat.bias" not in name}
    with pytest.raises(DataError, match=r"missing head\.relation\.join\.bias"):
        load_published_head(*target, missing, "head.pth")
    with pytest.raises(DataError, match=r"unexpected predictor\.other\.weight"):
        load_published_head(*target, state | {"roi_heads.relation.predictor.other.weight": torch.zeros(1)}, "head.pth")


def test_other_heads_have_no_published_layout() -> None:
    box, union, _ = parts(Motifs, 0)
    head = FrequencyBaseline(VOCABULARY, STATISTICS, "predcls", entity_width=6, union_width=6)
    with pytest.raises(ValueError, match="found FrequencyBaseline"):
        load_published_head(box, union, head, {})
