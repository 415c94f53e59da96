"""Published MOTIFS and VCTree checkpoints of the public scene-graph benchmark into our modules (spec F).

The same layers under other names: the released biLSTM and tree LSTMs have our gate order, the pair classifier our
split into subject and object. Heads whose released code we correct (GPS-Net, BGNN, Graph R-CNN) or write anew have no
such table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from interplay.scene.checkpoints import Rules, load_renamed, renamed, without_module
from interplay.scene.features import BoxFeatures, UnionFeatureExtractor
from interplay.scene.heads.interface import RelationHead
from interplay.scene.heads.motifs import Motifs
from interplay.scene.heads.vctree import VCTree

PREFIX = "roi_heads.relation."
FEATURES: Rules = (
    (r"box_feature_extractor\.(fc[67]\..+)", r"box_features.perceptron.\1"),
    (r"union_feature_extractor\.feature_extractor\.(fc[67]\..+)", r"union_features.perceptron.\1"),
    (
        r"union_feature_extractor\.feature_extractor\.pooler\.reduce_channel\.0\.(.+)",
        r"union_features.reduce.\1",
    ),
    (r"union_feature_extractor\.rect_conv\.0\.(.+)", r"union_features.rectangles.widen.\1"),
    (r"union_feature_extractor\.rect_conv\.2\.(.+)", r"union_features.rectangles.widened_norm.\1"),
    (r"union_feature_extractor\.rect_conv\.4\.(.+)", r"union_features.rectangles.mix.\1"),
    (r"union_feature_extractor\.rect_conv\.6\.(.+)", r"union_features.rectangles.mixed_norm.\1"),
)
SHARED: Rules = (
    (r"predictor\.context_layer\.obj_embed1\.(.+)", r"head.entity_input.embedding.table.\1"),
    (r"predictor\.context_layer\.obj_embed2\.(.+)", r"head.label_embedding.table.\1"),
    (r"predictor\.context_layer\.pos_embed\.0\.(.+)", r"head.entity_input.position.reduce.\1"),
    (r"predictor\.context_layer\.pos_embed\.1\.(.+)", r"head.entity_input.position.norm.\1"),
    (r"predictor\.context_layer\.pos_embed\.2\.(.+)", r"head.entity_input.position.expand.\1"),
    (r"predictor\.context_layer\.decoder_rnn\.obj_embed\.(.+)", r"head.decoder.embedding.\1"),
    (r"predictor\.post_emb\.(.+)", r"head.relation.ends.\1"),
    (r"predictor\.post_cat\.(.+)", r"head.relation.join.\1"),
    (r"predictor\.up_dim\.(.+)", r"head.relation.union.\1"),
    (r"predictor\.(?:rel|ctx)_compress\.(.+)", r"head.relation.classifier.\1"),
    (r"predictor\.freq_bias\.obj_baseline\.(.+)", r"head.relation.frequency.table.\1"),
)
MOTIFS: Rules = (
    (r"predictor\.context_layer\.obj_ctx_rnn\.(.+)", r"head.object_context.lstm.\1"),
    (r"predictor\.context_layer\.edge_ctx_rnn\.(.+)", r"head.edge_context.lstm.\1"),
    (r"predictor\.context_layer\.lin_obj_h\.(.+)", r"head.object_context.output.\1"),
    (r"predictor\.context_layer\.lin_edge_h\.(.+)", r"head.edge_context.output.\1"),
    (r"predictor\.context_layer\.decoder_rnn\.input_linearity\.(.+)", r"head.decoder.input.\1"),
    (r"predictor\.context_layer\.decoder_rnn\.state_linearity\.(.+)", r"head.decoder.state.\1"),
    (r"predictor\.context_layer\.decoder_rnn\.out_obj\.(.+)", r"head.decoder.output.\1"),
)
CELLS = (
    ("foreward", "up", (("px", "projection"), ("ioffux", "input"), ("ioffuh_left", "left"), ("ioffuh_right", "right"))),
    ("backward", "down", (("px", "projection"), ("iofux", "input"), ("iofuh", "parent"))),
)
VCTREE: Rules = (
    *(
        (
            rf"predictor\.context_layer\.{context}_ctx_rnn\.multi_layer_lstm\.(\d+)\.treeLSTM_{theirs}\.treeLSTM\.{gate}\.(.+)",
            rf"head.{name}_context.{ours}.\1.{layer}.\2",
        )
        for context, name in (("obj", "object"), ("edge", "edge"))
        for theirs, ours, gates in CELLS
        for gate, layer in gates
    ),
    *(
        (rf"predictor\.context_layer\.decoder_rnn\.decoderLSTM\.{gate}\.(.+)", rf"head.decoder.cell.{layer}.\1")
        for gate, layer in CELLS[1][2]
    ),
    (r"predictor\.context_layer\.decoder_rnn\.out\.(.+)", r"head.decoder.output.\1"),
    (r"predictor\.context_layer\.obj_reduce\.(.+)", r"head.scores.feature.\1"),
    (r"predictor\.context_layer\.emb_reduce\.(.+)", r"head.scores.belief.\1"),
    (r"predictor\.context_layer\.box_embed\.0\.(.+)", r"head.scores.box.\1"),
    (r"predictor\.context_layer\.box_embed\.1\.(.+)", r"head.scores.box_norm.\1"),
    (r"predictor\.context_layer\.overlap_embed\.0\.(.+)", r"head.scores.overlap.\1"),
    (r"predictor\.context_layer\.overlap_embed\.1\.(.+)", r"head.scores.overlap_norm.\1"),
    (r"predictor\.context_layer\.score_pre\.(.+)", r"head.scores.join.\1"),
    (r"predictor\.context_layer\.score_sub\.(.+)", r"head.scores.subject.\1"),
    (r"predictor\.context_layer\.score_obj\.(.+)", r"head.scores.object.\1"),
    (r"predictor\.context_layer\.vision_prior\.(.+)", r"head.scores.visual.\1"),
    (r"predictor\.context_layer\.bi_freq_prior\.weight", r"head.scores.prior"),
)
PASSED_OVER = re.compile(
    r"predictor\.context_layer\.(untreated_.+|decoder_rnn\.decoderLSTM\.embed(_out)?_layer\..+)|predictor\.untreated_.+"
)
"""Averages of the causal variant, and the second names of layers that the tree decoder shares."""


def load_published_head(
    box_features: BoxFeatures,
    union_features: UnionFeatureExtractor,
    head: RelationHead,
    state: Mapping[str, Tensor],
    source: str = "checkpoint",
) -> None:
    """Load the relation side of a published scene-graph checkpoint: both feature extractors and the head.

    The detector in the same file is passed over (:func:`interplay.scene.detector.converter.load_published`).

    Args:
        head: :class:`Motifs` or :class:`VCTree` in the widths of the checkpoint.
        state: as :func:`interplay.scene.checkpoints.read_checkpoint` returns it.
        source: named in errors.

    Raises:
        ValueError: another head.
        DataError: names are missing or left over, or shapes differ.
    """
    if not isinstance(head, Motifs | VCTree):
        raise ValueError(f"head: found {type(head).__name__}, expected Motifs or VCTree")
    relation = {
        name.removeprefix(PREFIX): value
        for name, value in without_module(state).items()
        if name.startswith(PREFIX) and not PASSED_OVER.fullmatch(name.removeprefix(PREFIX))
    }
    found, unexpected = renamed(relation, FEATURES + SHARED + (MOTIFS if isinstance(head, Motifs) else VCTREE))
    prior = found.get("head.scores.prior")
    if prior is not None and isinstance(head, VCTree) and prior.numel() == head.scores.prior.numel():
        found["head.scores.prior"] = prior.view_as(head.scores.prior)
    parts = nn.ModuleDict({"box_features": box_features, "union_features": union_features, "head": head})
    load_renamed(parts, found, unexpected, source, f"the names of a relation head of kind {type(head).__name__}")
