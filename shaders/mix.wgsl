// y = share * x + (1 - share) * partner, but the partner alone inside of the image's rectangle.
// x, partner, y (n, h, w, 3) f32; rule (n, 5) f32: share, then top, left, bottom and right as shares of the height and
// width. Mixup has an empty rectangle, cutmix a share of 1.
// One invocation computes one pixel of y.
// Source: Zhang et al. 2017, mixup, equation 1; Yun et al. 2019, CutMix, equation 1.

struct P {
    pixels: u32, // n * h * w
    h: u32,
    w: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> partner: array<f32>;
@group(0) @binding(2) var<storage, read> rule: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(SIZE)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(group, groups, local);
    if (i >= p.pixels) { return; }
    let sample = i / (p.h * p.w);
    let pixel = i - sample * p.h * p.w;
    let centre = (vec2f(f32(pixel / p.w), f32(pixel % p.w)) + 0.5) / vec2f(f32(p.h), f32(p.w));
    let r = rule_at + 5u * sample;
    let begin = vec2f(rule[r + 1u], rule[r + 2u]);
    let end = vec2f(rule[r + 3u], rule[r + 4u]);
    let inside = all(centre >= begin) && all(centre < end);
    let share = select(rule[r], 0.0, inside);
    for (var e = 3u * i; e < 3u * i + 3u; e++) {
        y[y_at + e] = share * x[x_at + e] + (1.0 - share) * partner[partner_at + e];
    }
}
