// y = x, but noise inside of the image's rectangle.
// x, y (n, h, w, 3) f32, 0 to 255; rectangle (n, 4) f32: top, left, bottom and right as shares of the height and width.
// The noise is three bytes of the pixel's own random words.
// One invocation computes one pixel of y.
// Source: Zhong et al. 2017, Random Erasing Data Augmentation, algorithm 1 with random values.

struct P {
    pixels: u32, // n * h * w
    h: u32,
    w: u32,
    layer: u32,
    seed: u32,
    iteration: u32,
    first_sample: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> rectangle: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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
    let r = rectangle_at + 4u * sample;
    let begin = vec2f(rectangle[r], rectangle[r + 1u]);
    let end = vec2f(rectangle[r + 2u], rectangle[r + 3u]);
    let inside = all(centre >= begin) && all(centre < end);
    let noise = vec3f(random4(p.seed, p.layer, p.iteration, p.first_sample + sample, pixel).xyz >> vec3u(24u));
    let e = 3u * i;
    let rgb = vec3f(x[x_at + e], x[x_at + e + 1u], x[x_at + e + 2u]);
    let result = select(rgb, noise, inside);
    y[y_at + e] = result.x;
    y[y_at + e + 1u] = result.y;
    y[y_at + e + 2u] = result.z;
}
