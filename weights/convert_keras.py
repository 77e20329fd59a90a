#!/usr/bin/env python3
"""Convert a Keras VGG16 or VGG19 .h5 file to a safetensors file that Frostline loads.

    python convert_keras.py vgg19_weights_tf_dim_ordering_tf_kernels.h5 vgg19.safetensors [--f16]

Optional: Frostline reads Keras files itself. Needs h5py, numpy and safetensors. Accepts the published files
(block1_conv1_W_1:0), Keras 2's save_weights (kernel:0), and whole models, whose weights lie under model_weights/.
"""
import argparse
import json
import os
import sys
import tempfile

import h5py
import numpy as np
from safetensors.numpy import save_file

PARAMETERS = {2: ("kernel", "bias")}  # every layer of VGG that has weights has these two


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def names(group, key):
    """Attribute `key`, or its parts `key0`, `key1`, ... into which Keras splits what exceeds 64,512 bytes."""
    if key in group.attrs:
        return [text(v) for v in group.attrs[key]]
    found, part = [], 0
    while f"{key}{part}" in group.attrs:
        found += [text(v) for v in group.attrs[f"{key}{part}"]]
        part += 1
    return found


def read(path):
    """Tensors in Keras' own layout and layer order."""
    tensors = {}
    with h5py.File(path, "r") as file:
        root = file["model_weights"] if "model_weights" in file else file
        layers = names(root, "layer_names")
        if not layers:
            sys.exit(f"{path}: no 'layer_names': not a Keras legacy weight file (Frostline reads .weights.h5 and .keras directly)")
        for layer in layers:
            weights = names(root[layer], "weight_names")
            if not weights:
                continue
            if len(weights) not in PARAMETERS:
                sys.exit(f"{path}: layer '{layer}' has {len(weights)} arrays, VGG's layers have a kernel and a bias")
            for parameter, weight in zip(PARAMETERS[len(weights)], weights):
                tensors[f"{layer}/{parameter}"] = np.ascontiguousarray(root[layer][weight][()], dtype="float32")
    return tensors


def identify(tensors):
    convolutions = sum(t.ndim == 4 for t in tensors.values())
    model = {13: "VGG16", 16: "VGG19"}.get(convolutions)
    if model is None:
        sys.exit(f"{convolutions} convolutions: neither VGG16 (13) nor VGG19 (16)")
    return {"architecture": model, "top": "imagenet" if "predictions/kernel" in tensors else "none",
            "kernel_layout": "HWIO", "preprocessing": "caffe"}


def write(path, tensors, metadata):
    """Under a temporary name first, so that an interrupted run leaves no half file."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(handle)
    try:
        save_file(tensors, temporary, metadata)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--f16", action="store_true", help="store kernels in half precision")
    arguments = parser.parse_args()
    tensors = read(arguments.input)
    metadata = identify(tensors) | {"frostline.order": json.dumps(list(tensors))}
    if arguments.f16:
        tensors = {n: t.astype("float16") if n.endswith("kernel") else t for n, t in tensors.items()}
    write(arguments.output, tensors, metadata)
    print(f"{arguments.output}: {metadata['architecture']}, {len(tensors)} tensors, {sum(t.size for t in tensors.values()):,} values")


if __name__ == "__main__":
    main()
