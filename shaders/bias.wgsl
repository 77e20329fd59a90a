// The gradient of a bias: the sum of d_y over all rows, in two passes of fixed order.
//
//   d_b[c] = sum over r of d_y[r,c]
//
// d_y (rows, channels); partial (chunks, channels); d_b (channels).
// In `partial_sums` one invocation adds up to `chunk` rows of one channel; in `total` one invocation adds a
// channel's partial sums. No atomics: the same bits on each run.

struct P { rows: u32, channels: u32, chunk: u32, chunks: u32, accumulate: u32 }

@group(0) @binding(0) var<storage, read> d_y: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<storage, read> parts: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_b: array<f32>;

@compute @workgroup_size(SIZE)
fn partial_sums(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.chunks * p.channels { return; }
    let c = i % p.channels;
    let first = i / p.channels * p.chunk;
    var sum = 0.0;
    for (var r = first; r < min(first + p.chunk, p.rows); r++) {
        sum += d_y[d_y_at + r * p.channels + c];
    }
    partial[partial_at + i] = sum;
}

@compute @workgroup_size(SIZE)
fn total(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let c = flat_index(group, groups, local);
    if c >= p.channels { return; }
    var sum = 0.0;
    for (var k = 0u; k < p.chunks; k++) {
        sum += parts[parts_at + k * p.channels + c];
    }
    if p.accumulate != 0u { sum += d_b[d_b_at + c]; }
    d_b[d_b_at + c] = sum;
}
