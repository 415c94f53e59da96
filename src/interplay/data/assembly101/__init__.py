"""Assembly101: two hands, 1,380 fine-grained actions, 60 frames per second."""

from __future__ import annotations

from interplay.data.assembly101.actions import ActionTable, read_actions
from interplay.data.assembly101.dataset import Assembly101
from interplay.data.assembly101.poses import read_pose_json
from interplay.data.assembly101.submission import write_submission

__all__ = ["ActionTable", "Assembly101", "read_actions", "read_pose_json", "write_submission"]
