// Adds the copies of y that a product cut along k leaves, in a fixed order, with bias, ReLU or accumulation.
//
//   y[r,n] = relu(bias[n] + sum over s of parts[s, row(r), n])
//
// parts (splits, rows, n); y (rows of y, n), `y_row` elements from row to row. Where the rows are taps and channels
// rounded up to four (c_padded of c), those beyond c are left out. One invocation computes one element of y.

struct P {
    count: u32,   // elements of y
    n: u32,
    splits: u32,
    split: u32,   // elements of one copy
    c: u32, c_padded: u32,
    y_row: u32, y_offset: u32,
    bias: u32, floor: f32, accumulate: u32,
}

@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<y_type>;

@compute @workgroup_size(SIZE)
fn sum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if i >= p.count { return; }
    let n = i % p.n;
    let r = i / p.n;
    let row = r / p.c * p.c_padded + r % p.c;
    var v = 0.0;
    if p.bias != 0u { v = bias[bias_at + n]; }
    for (var s = 0u; s < p.splits; s++) { v += parts[parts_at + s * p.split + row * p.n + n]; }
    let at = y_at + p.y_offset + r * p.y_row + n;
    if p.accumulate != 0u { v += f32(y[at]); }
    y[at] = y_type(select(v, p.floor, v < p.floor));
}
