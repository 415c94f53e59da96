"""Crop, resize, rotation and derived streams against values of the reference pipeline."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from interplay.graph.layouts import load_layout
from interplay.skeleton import transforms

LAYOUT = load_layout("ntu25")


def test_all(golden):
    g = np.load(golden / "transforms.npz")
    clips = torch.from_numpy(g["clips"].reshape(3, 300, 2, 25, 3)); n = torch.from_numpy(g["lengths"])
    s, l = transforms.crop_bounds_test(n)
    x = transforms.crop_resize(clips, s, l, 64)
    for name in transforms.STREAMS:
        y = transforms.to_network(transforms.streams(x, [name], LAYOUT))
        print(name, np.abs(y.numpy() - g[f"test/{name}"]).max())
    for k in range(3):
        for d in range(2):
            p = f"train/clip{k}_draw{d}/"
            u = torch.tensor([float(g[p + "u"])], dtype=torch.float64)
            s, l = transforms.crop_bounds_train(n[k:k+1], 64, u, u)
            assert l.item() == int(g[p + "crop_len"]), (l, g[p+"crop_len"])
            x = transforms.crop_resize(clips[k:k+1], torch.tensor([int(g[p+"crop_start"])]), l, 64)
            print(p, np.abs(transforms.to_network(x)[0].numpy() - g[p + "joint_no_rotation"]).max())
            R = transforms.rotation(torch.from_numpy(g[p + "angles"])[None])
            print("R", np.abs(R[0].numpy() - g[p + "R"]).max())
            x = transforms.rotate(x, R)
            for name in transforms.STREAMS:
                y = transforms.to_network(transforms.streams(x, [name], LAYOUT))[0]
                print(name, np.abs(y.numpy() - g[p + name]).max())
