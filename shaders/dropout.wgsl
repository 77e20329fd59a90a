// y = x * mask / keep; the same kernel with d_y for x gives d_x = d_y * mask / keep.
// x, y (n, ...) with `row` elements per sample. mask is 1 where the upper 24 bits of the element's random word lie
// below keep * 2^24; it is computed again in the backward pass instead of being kept.
// One invocation computes up to four neighbouring elements of one sample, which share one hash. The kernel on vec4
// needs row % 4 == 0.
// Source: Srivastava et al. 2014, section 10 ("inverted" scaling at training time); Keras Dropout.

struct P {
    quads: u32, // invocations: n * quads per row
    row: u32,
    threshold: u32, // keep * 2^24
    scale: f32, // 1 / keep
    layer: u32,
    seed: u32,
    iteration: u32,
    first_sample: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<x_type>;
@group(0) @binding(1) var<storage, read_write> y: array<y_type>;
@group(0) @binding(2) var<storage, read> x4: array<vec4<x4_type>>;
@group(0) @binding(3) var<storage, read_write> y4: array<vec4<y4_type>>;

fn factors(sample: u32, quad: u32) -> vec4f {
    let words = random4(p.seed, p.layer, p.iteration, p.first_sample + sample, quad);
    return select(vec4f(0.0), vec4f(p.scale), (words >> vec4u(8u)) < vec4u(p.threshold));
}

@compute @workgroup_size(SIZE)
fn apply(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.quads) { return; }
    let row_quads = (p.row + 3u) / 4u;
    let sample = i / row_quads;
    let quad = i - sample * row_quads;
    let factor = factors(sample, quad);
    for (var lane = 0u; lane < min(4u, p.row - 4u * quad); lane++) {
        let e = sample * p.row + 4u * quad + lane;
        let half = select(factor.zw, factor.xy, lane < 2u);
        var value = f32(x[x_at + e]) * select(half.y, half.x, lane % 2u == 0u);
        if (p.accumulate == 1u) { value += f32(y[y_at + e]); }
        y[y_at + e] = y_type(value);
    }
}

@compute @workgroup_size(SIZE)
fn apply4(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.quads) { return; }
    let row_quads = p.row / 4u;
    let sample = i / row_quads;
    var value = vec4f(x4[x4_at / 4u + i]) * factors(sample, i - sample * row_quads);
    if (p.accumulate == 1u) { value += vec4f(y4[y4_at / 4u + i]); }
    y4[y4_at / 4u + i] = vec4<y4_type>(value);
}
