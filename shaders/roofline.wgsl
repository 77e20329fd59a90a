// The two limits of an adapter, for comparison with every other kernel.
//
// multiply_add: one invocation keeps four vec4f in registers and multiplies and adds to each, 16 times a round, with
//   nothing to load: 512 floating-point operations a round. Sixteen independent sums hide the latency of one.
// copy: one invocation copies one vec4f, x to y, 32 bytes moved.
//
// Source: Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model".

struct P {
    rounds: u32,
    count: u32,
    row: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

var<private> s: array<vec4f, 4>;

fn four_times(a: f32, b: f32) {
    s[0] = fma(s[0], vec4f(a), vec4f(b)); s[1] = fma(s[1], vec4f(a), vec4f(b));
    s[2] = fma(s[2], vec4f(a), vec4f(b)); s[3] = fma(s[3], vec4f(a), vec4f(b));
    s[0] = fma(s[0], vec4f(a), vec4f(b)); s[1] = fma(s[1], vec4f(a), vec4f(b));
    s[2] = fma(s[2], vec4f(a), vec4f(b)); s[3] = fma(s[3], vec4f(a), vec4f(b));
    s[0] = fma(s[0], vec4f(a), vec4f(b)); s[1] = fma(s[1], vec4f(a), vec4f(b));
    s[2] = fma(s[2], vec4f(a), vec4f(b)); s[3] = fma(s[3], vec4f(a), vec4f(b));
    s[0] = fma(s[0], vec4f(a), vec4f(b)); s[1] = fma(s[1], vec4f(a), vec4f(b));
    s[2] = fma(s[2], vec4f(a), vec4f(b)); s[3] = fma(s[3], vec4f(a), vec4f(b));
}

@compute @workgroup_size(SIZE)
fn multiply_add(@builtin(global_invocation_id) id: vec3u) {
    let index = id.y * p.row + id.x;
    // Known only when it runs, so that no compiler computes the loop; they converge, so that nothing overflows.
    let a = 1.0 / f32(p.count + 1u);
    let b = f32(index);
    s[0] = vec4f(b); s[1] = vec4f(b + 1.0); s[2] = vec4f(b + 2.0); s[3] = vec4f(b + 3.0);
    for (var round = 0u; round < p.rounds; round++) {
        four_times(a, b);
        four_times(a, b);
        four_times(a, b);
        four_times(a, b);
    }
    if index < p.count {
        y[y_at / 4u + index] = s[0] + s[1] + s[2] + s[3];
    }
}

@compute @workgroup_size(SIZE)
fn copy(@builtin(global_invocation_id) id: vec3u) {
    let index = id.y * p.row + id.x;
    if index < p.count {
        y[y_at / 4u + index] = x[x_at / 4u + index];
    }
}
