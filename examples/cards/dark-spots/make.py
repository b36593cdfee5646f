"""Make model.onnx: how much darker a sample is than the mean of its 31 x 31 neighbours."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SIDE = 31
STEEP, FROM = 40.0, 0.15  # 0.15 of the range darker: as likely as not

nodes = [
    helper.make_node(
        "AveragePool",
        ["image"],
        ["around"],
        kernel_shape=[SIDE, SIDE],
        pads=[SIDE // 2] * 4,
        count_include_pad=0,
    ),
    helper.make_node("Sub", ["around", "image"], ["darker"]),
    helper.make_node("Sub", ["darker", "from"], ["beyond"]),
    helper.make_node("Mul", ["beyond", "steep"], ["logits"]),
]
shape = [1, 1, "rows", "columns"]
graph = helper.make_graph(
    nodes,
    "dark-spots",
    [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
    [
        numpy_helper.from_array(np.array(FROM, np.float32), "from"),
        numpy_helper.from_array(np.array(STEEP, np.float32), "steep"),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
Path(__file__).with_name("model.onnx").write_bytes(model.SerializeToString())
