"""One case of the comparison, run by Keras or onnxruntime on the CPU, or by PyTorch on a CUDA card.

    python python_peers.py keras|onnxruntime|torch CASE [SECONDS]

Prints one JSON object, as the burn program does. One case per process, so that the peak of memory is that case's own.
"""

import json
import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np

# Filters of VGG19's convolutions, and whether a 2x2 pool follows.
VGG19 = [(64, 0), (64, 1), (128, 0), (128, 1)] + [(256, 0)] * 3 + [(256, 1)] + ([(512, 0)] * 3 + [(512, 1)]) * 2
# Channels and side of the single convolutions.
SINGLE = {"conv64": (64, 112), "conv256": (256, 28), "conv512": (512, 14)}
BATCH, CLASSES = 8, 16


def keras_case(case):
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    version = f"Keras {keras.__version__}, TensorFlow {tf.__version__}"
    compiled = lambda function: tf.function(function, jit_compile=False)
    if case.startswith("gemm"):
        size = int(case[4:])
        a, b = tf.random.normal((size, size)), tf.random.normal((size, size))
        product = compiled(tf.matmul)
        return version, lambda: product(a, b).numpy()
    if case in SINGLE:
        channels, side = SINGLE[case]
        x, w = tf.random.normal((1, side, side, channels)), tf.random.normal((3, 3, channels, channels))
        convolve = compiled(lambda x: tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME")))
        return version, lambda: convolve(x).numpy()
    side = int(case[3:]) if case.startswith("fwd") else 64
    base = keras.applications.VGG19(weights=None, include_top=False, input_shape=(side, side, 3))
    if case.startswith("fwd"):
        x = tf.random.normal((1, side, side, 3))
        forward = compiled(lambda x: base(x, training=False))
        return version, lambda: forward(x).numpy()
    for layer in base.layers if case == "step_all" else base.layers[:5]:
        layer.trainable = False
    x = keras.layers.Flatten()(base.output)
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(1024, activation="relu")(x))
    x = keras.layers.Dense(1024, activation="relu")(x)
    model = keras.Model(base.input, keras.layers.Dense(CLASSES, activation="softmax")(x))
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), "sparse_categorical_crossentropy", jit_compile=False)
    images, labels = tf.random.normal((BATCH, side, side, 3)), tf.range(BATCH)
    return version, lambda: model.train_on_batch(images, labels)


def onnxruntime_case(case):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    nodes, weights = [], []

    def weight(name, *shape):
        values = rng.standard_normal(shape) * np.sqrt(2 / max(1, np.prod(shape[1:])))
        weights.append(numpy_helper.from_array(values.astype("float32"), name))
        return name

    def convolution(x, index, ci, co):
        inputs = [x, weight(f"w{index}", co, ci, 3, 3), weight(f"b{index}", co)]
        nodes.append(helper.make_node("Conv", inputs, [f"c{index}"], pads=[1] * 4, kernel_shape=[3, 3]))
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"r{index}"]))
        return f"r{index}"

    if case.startswith("gemm"):
        shape = (int(case[4:]),) * 2
        nodes.append(helper.make_node("MatMul", ["x", weight("w", *shape)], ["y"]))
        last = "y"
    elif case in SINGLE:
        channels, side = SINGLE[case]
        shape = (1, channels, side, side)
        last = convolution("x", 0, channels, channels)
    elif case.startswith("fwd"):
        shape, last, ci = (1, 3, int(case[3:]), int(case[3:])), "x", 3
        for index, (co, pools) in enumerate(VGG19):
            last, ci = convolution(last, index, ci, co), co
            if pools:
                pool = helper.make_node("MaxPool", [last], [f"p{index}"], kernel_shape=[2, 2], strides=[2, 2])
                nodes.append(pool)
                last = f"p{index}"
    else:
        sys.exit(3)  # no training
    info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "case", [info("x", shape)], [info(last, None)], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = rng.standard_normal(shape).astype("float32")
    return f"onnxruntime {onnxruntime.__version__}", lambda: session.run(None, {"x": x})


def torch_case(case):
    import torch
    from torch import nn

    if not torch.cuda.is_available():
        sys.exit(3)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(1)
    version = f"PyTorch {torch.__version__} (TF32 off)"

    def waited(function):
        def run():
            function()
            torch.cuda.synchronize()

        return run

    random = lambda *shape: torch.randn(*shape, device="cuda")
    if case.startswith("gemm"):
        a, b = random(int(case[4:]), int(case[4:])), random(int(case[4:]), int(case[4:]))
        return version, waited(lambda: a @ b)
    convolution = lambda ci, co: nn.Sequential(nn.Conv2d(ci, co, 3, padding=1), nn.ReLU())
    if case in SINGLE:
        channels, side = SINGLE[case]
        layer, x = convolution(channels, channels).cuda(), random(1, channels, side, side)
        return version, torch.no_grad()(waited(lambda: layer(x)))
    layers, ci = [], 3
    for co, pools in VGG19:
        layers += [convolution(ci, co)] + [nn.MaxPool2d(2)] * pools
        ci = co
    if case.startswith("fwd"):
        base, x = nn.Sequential(*layers).cuda(), random(1, 3, int(case[3:]), int(case[3:]))
        return version, torch.no_grad()(waited(lambda: base(x)))
    # layers[:5] are the input, two convolutions, a pool and a convolution: four modules here.
    for layer in layers if case == "step_all" else layers[:4]:
        layer.requires_grad_(False)
    head = [nn.Flatten(), nn.Linear(2048, 1024), nn.ReLU(), nn.Dropout(), nn.Linear(1024, 1024), nn.ReLU()]
    model = nn.Sequential(*layers, *head, nn.Linear(1024, CLASSES)).cuda()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer, loss = torch.optim.SGD(trained, 1e-3, momentum=0.9), nn.CrossEntropyLoss()
    images, labels = random(BATCH, 3, 64, 64), torch.arange(BATCH, device="cuda")

    def step():
        optimizer.zero_grad()
        loss(model(images), labels).backward()
        optimizer.step()

    return version, waited(step)


def main():
    peer, case = sys.argv[1:3]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 20.0
    version, run = {"keras": keras_case, "onnxruntime": onnxruntime_case, "torch": torch_case}[peer](case)

    def timed():
        start = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - start)

    first = timed()
    for _ in range(2):
        run()
    times, start = [], time.perf_counter()
    while len(times) < 3 or (len(times) < 50 and time.perf_counter() - start < seconds):
        times.append(timed())
    print(json.dumps({
        "peer": peer, "version": version, "case": case,
        "median_ms": round(float(np.median(times)), 3), "min_ms": round(min(times), 3),
        "max_ms": round(max(times), 3), "runs": len(times), "first_ms": round(first, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "load": os.getloadavg()[0],
    }))


if __name__ == "__main__":
    main()
