"""Frostline and its peers on the same work, in turns, on this machine: `make peers`.

    python3 run.py [--rounds N] [--seconds S] [--cases a,b] [--peers frostline,burn-wgpu,keras,onnxruntime,torch]
                   [--frostline target/release/frostline]
    python3 run.py --render

In each round every peer runs every case once, in a process of its own, one after the other, so that whatever else the
machine does meets all of them. Each result is appended to measured.jsonl. `--render` puts the medians over all
rounds of the latest run into ../RESULTS.md, between its markers.

Needs a release build of Frostline, cargo for burn, and Python 3.10 or newer. It makes a virtual environment here, and
installs keras, tensorflow-cpu, onnx and onnxruntime into it. PyTorch is used where it is installed there and a CUDA
card is at hand; it is not installed by itself.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BURN = HERE / "burn/target/release/frostline-peer-burn"
PYTHON = HERE / "venv/bin/python"
MEASURED = HERE / "measured.jsonl"
RESULTS = HERE.parent / "RESULTS.md"

# What a case is called in `frostline bench`, and in words.
CASES = {
    "gemm512": ("dense/forward 512x512 512x512", "SGEMM 512³"),
    "gemm1024": ("dense/forward 1024x1024 1024x1024", "SGEMM 1024³"),
    "conv64": ("conv2d/forward 1x112x112x64 3x3x64x64", "3x3 convolution, 64 channels, 112x112"),
    "conv256": ("conv2d/forward 1x28x28x256 3x3x256x256", "3x3 convolution, 256 channels, 28x28"),
    "conv512": ("conv2d/forward 1x14x14x512 3x3x512x512", "3x3 convolution, 512 channels, 14x14"),
    "fwd64": ("step/vgg19/forward 1x64x64x3", "VGG19 forward, 64x64"),
    "fwd224": ("step/vgg19/forward 1x224x224x3", "VGG19 forward, 224x224"),
    "step_all": ("step/vgg19/frozen_base 8x64x64x3", "training step, 8 of 64x64, base frozen"),
    "step_l5": ("step/vgg19/layers5 8x64x64x3", "training step, 8 of 64x64, `layers[:5]` frozen"),
}
PEERS = ["frostline", "burn-wgpu", "keras", "onnxruntime", "torch"]


def output(command):
    """Standard output of a command, or None if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=ROOT)
    if done.returncode not in (0, 3):
        print(f"{' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
    return done.stdout if done.returncode == 0 else None


def frostline(program, case):
    """The fastest rung of the lines that the bench gives, and the peak that it measured beside them."""
    text = output([program, "bench", "--quiet", "--json", "--filter", CASES[case][0]])
    if text is None:
        return None
    records = [json.loads(line) for line in text.splitlines()]
    peak = next(record["gflops"] for record in records if record["name"] == "roofline/multiply_add")
    best = min((record for record in records if record["runs"]), key=lambda record: record["median_ms"])
    fields = ["median_ms", "min_ms", "max_ms", "runs", "gflops", "rel_error", "variant", "load"]
    version = output([program, "--version"]).strip()
    return {"peer": "frostline", "version": version, "case": case, "peak_gflops": peak} | {
        field: best[field] for field in fields
    }


def other(peer, case, seconds):
    program = [BURN] if peer == "burn-wgpu" else [PYTHON, HERE / "python_peers.py", peer]
    text = output([*program, case, seconds])
    return text and json.loads(text.splitlines()[-1])


def prepare(peers):
    """Builds and installs what the peers need; those of them that can run."""
    if "burn-wgpu" in peers and not BURN.exists():
        subprocess.run(["cargo", "build", "--release"], cwd=HERE / "burn", check=True)
    if not PYTHON.exists() and {"keras", "onnxruntime", "torch"} & set(peers):
        subprocess.run([sys.executable, "-m", "venv", HERE / "venv"], check=True)
        packages = ["keras", "tensorflow-cpu", "onnx", "onnxruntime"]
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *packages], check=True)
    if "torch" in peers and subprocess.run([PYTHON, "-c", "import torch"], capture_output=True).returncode:
        print("PyTorch is not installed in benches/peers/venv, and left out", file=sys.stderr)
        return [peer for peer in peers if peer != "torch"]
    return peers


def measure(arguments):
    peers = prepare(arguments.peers)
    program = arguments.frostline
    doctor = json.loads(output([program, "doctor", "--json"]))
    adapter = doctor["adapters"][doctor["chosen"]]
    about = {
        "run": datetime.datetime.now().isoformat(timespec="seconds"),
        "adapter": f"{adapter['name']}, {adapter['driver']}, {adapter['backend']}",
        "cpus": os.cpu_count(),
    }
    for round_ in range(arguments.rounds):
        for case in arguments.cases:
            for peer in peers:
                ours = peer == "frostline"
                found = frostline(program, case) if ours else other(peer, case, arguments.seconds)
                if found is None:
                    continue
                with MEASURED.open("a") as file:
                    file.write(json.dumps(about | {"round": round_} | found) + "\n")
                median, load = found["median_ms"], found["load"]
                print(f"{round_ + 1}/{arguments.rounds} {case:9} {peer:12} {median:10.2f} ms, load {load:.1f}")


def render():
    lines = [json.loads(line) for line in MEASURED.read_text().splitlines()]
    latest = [line for line in lines if line["run"] == lines[-1]["run"]]
    text = RESULTS.read_text()
    head, rest = text.split("<!-- measured -->")
    _, tail = rest.split("<!-- end -->")
    RESULTS.write_text(f"{head}<!-- measured -->\n{tables(latest)}<!-- end -->{tail}")


def tables(lines):
    """Medians over the rounds, with the fastest and slowest single run; and how many times slower than Frostline."""
    of = lambda case, peer: [line for line in lines if (line["case"], line["peer"]) == (case, peer)]
    peers = [peer for peer in PEERS if any(line["peer"] == peer for line in lines)]
    versions = {line["peer"]: line["version"] for line in lines}
    loads = [line["load"] for line in lines]
    peaks = [line["peak_gflops"] for line in lines if "peak_gflops" in line]
    out = [
        f"{lines[0]['run'][:10]}, {lines[0]['cpus']} CPUs, adapter {lines[0]['adapter']}. "
        + ", ".join(versions[peer] for peer in peers)
        + f". Load average {min(loads):.1f} to {max(loads):.1f}; multiply-add peak measured beside Frostline's cases "
        f"{min(peaks):.0f} to {max(peaks):.0f} GFLOP/s.\n",
        "| work, in ms: median (fastest to slowest run) | " + " | ".join(peers) + " |",
        "|---" * (len(peers) + 1) + "|",
    ]
    for case, (_, words) in CASES.items():
        if not any(line["case"] == case for line in lines):
            continue
        ours = [line["median_ms"] for line in of(case, "frostline")]
        cells = []
        for peer in peers:
            found = of(case, peer)
            if not found:
                cells.append("-")
                continue
            median = statistics.median(line["median_ms"] for line in found)
            low, high = min(line["min_ms"] for line in found), max(line["max_ms"] for line in found)
            times = f", {median / statistics.median(ours):.2f} times ours" if ours and peer != "frostline" else ""
            extra = f", {statistics.median(line['gflops'] for line in found):.0f} GFLOP/s" if peer == "frostline" else ""
            cells.append(f"{median:.4g} ({low:.4g} to {high:.4g}){extra}{times}")
        out.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words = lambda text: text.split(",")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--cases", type=words, default=list(CASES))
    parser.add_argument("--peers", type=words, default=PEERS)
    parser.add_argument("--frostline", default=ROOT / "target/release/frostline", help="its program")
    parser.add_argument("--render", action="store_true", help="only write the latest run into RESULTS.md")
    arguments = parser.parse_args()
    if not arguments.render:
        measure(arguments)
    render()


if __name__ == "__main__":
    main()
