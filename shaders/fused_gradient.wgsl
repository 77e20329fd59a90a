// The way back through what a layer fuses behind its product: the ReLU's mask, and the gradient of the bias.
//
//   d_y[r,c] = y[r,c] > 0 ? d_y[r,c] : 0, in place          d_b[c] = sum over r of d_y[r,c]
//
// x  the layer's output y (rows, channels); y  its gradient d_y; partial (chunks, channels rounded up to four);
// d_b (channels). The sum has two passes of fixed order, so that it has the same bits on each run.
//
// `mask`: one invocation masks four neighbours. `mask_sum` and `sum`: one invocation adds, and masks before, up to
// `chunk` rows of four channels. `total`: one workgroup adds the partial sums of four channels.

struct P { rows: u32, channels: u32, chunk: u32, chunks: u32, accumulate: u32 }

@group(0) @binding(1) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(2) var<storage, read> parts: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> d_b: array<f32>;

var<workgroup> sums: array<vec4f, SIZE>;

// Four gradients at i, masked and written back.
fn masked(i: u32, left: u32) -> vec4f {
    let d = select(load_y4(i, left), vec4f(), load_x4(i, 1u, left) <= vec4f()); // a NaN is not masked
    store_y4(i, left, d);
    return d;
}

@compute @workgroup_size(SIZE)
fn mask(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = 4u * flat_index(group, groups, local);
    let count = p.rows * p.channels;
    if i >= count { return; }
    masked(i, count - i);
}

@compute @workgroup_size(SIZE)
fn mask_sum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let s = strip(flat_index(group, groups, local));
    if s.first >= p.rows { return; }
    var sum = vec4f();
    for (var r = s.first; r < s.end; r++) { sum += masked(r * p.channels + s.c, p.channels - s.c); }
    partial[partial_at / 4u + s.at] = sum;
}

@compute @workgroup_size(SIZE)
fn sum(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let s = strip(flat_index(group, groups, local));
    if s.first >= p.rows { return; }
    var sum = vec4f();
    for (var r = s.first; r < s.end; r++) { sum += load_y4(r * p.channels + s.c, p.channels - s.c); }
    partial[partial_at / 4u + s.at] = sum;
}

@compute @workgroup_size(SIZE)
fn total(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let quads = (p.channels + 3u) / 4u;
    var sum = vec4f();
    for (var k = local; k < p.chunks; k += SIZE) { sum += parts[parts_at / 4u + k * quads + group.x]; }
    sums[local] = sum;
    for (var half = SIZE / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half { sums[local] += sums[local + half]; }
    }
    workgroupBarrier();
    let c = 4u * group.x + local;
    if local >= 4u || c >= p.channels { return; }
    var v = sums[0][local];
    if p.accumulate != 0u { v += d_b[d_b_at + c]; }
    d_b[d_b_at + c] = v;
}
